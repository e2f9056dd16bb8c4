"""The demo's figures: `metrics.json` and the report's content from predictions and truth.

Legend: N test clips, K classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slowfast.ensemble.agreement import trust
from slowfast.report.data import MEAN, STEPS, VOTE, Guess, LadderRow, PseudoRound, StepResult
from slowfast.report.measures import fuse, per_class_accuracy, per_class_coverage, per_class_precision
from slowfast.utils.errors import InputError
from slowfast.utils.scores import accuracy, confusion_matrix, predicted_labels, probabilities


@dataclass(frozen=True)
class Scores:
    """What one network says about the test clips.

    Attributes:
        names: N clip names.
        scores_NK: float (N, K), summed over views and crops; NaN for a clip that could not be read.
        kind: `logits` or `probs`.
        num_views: views x crops of the sum.
        source: the file, for messages.
    """

    names: list[str]
    scores_NK: np.ndarray
    kind: str
    num_views: int
    source: str = "predictions"


@dataclass(frozen=True)
class DemoRun:
    """A finished demo, as read from its folder.

    Attributes:
        class_names: K names.
        truth: class of every test clip.
        tests: per (step, views, crops) what every model says; models in the order of the ladder's columns.
        submission: class of every test clip in the voted submission.
        pool_truth: class of every clip of the unlabelled pool.
        pseudo: per round the labelled clips of the pool.
        weights: of the models in a vote; 1 for those not named.
    """

    class_names: list[str]
    truth: Mapping[str, int]
    tests: Mapping[tuple[str, int, int], Mapping[str, Scores]]
    submission: Mapping[str, int]
    pool_truth: Mapping[str, int]
    pseudo: Mapping[int, Mapping[str, int]]
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoFigures:
    """What `collect` measured.

    Attributes:
        ladder: one row per step, number of views and model, in the order of `STEPS`.
        steps: the fused prediction of every step, class by class.
        rounds: pseudo-labels per round.
        names: N test clips in the order of the truth.
        truth_N: int64 (N,).
        final_N: int64 (N,), the submission; -1 for a clip it lacks.
        fused: per step the voters' mean probabilities, float64 (N, K).
    """

    ladder: list[LadderRow]
    steps: list[StepResult]
    rounds: list[PseudoRound]
    names: list[str]
    truth_N: np.ndarray
    final_N: np.ndarray
    fused: Mapping[str, np.ndarray]

    def metrics(self, *, seed: int, mode: str, seconds: Mapping[str, float]) -> dict[str, Any]:
        """Return the content of `metrics.json`: figures in percent with two decimals, durations in seconds."""
        rows = [{"step": row.step, "model": row.model, "views": row.views, "crops": row.crops} for row in self.ladder]
        return {
            "seed": seed,
            "mode": mode,
            "seconds": {name: float(value) for name, value in seconds.items()},
            "ladder": [{**entry, "top1": round(row.top1, 2)} for entry, row in zip(rows, self.ladder)],
            "pseudo_labels": [
                {
                    "stage": entry.stage,
                    "selected": entry.selected,
                    "pool": entry.pool,
                    "precision": round(entry.precision, 2),
                }
                for entry in self.rounds
            ],
        }

    def guesses(self, row: int) -> tuple[Guess, Guess]:
        """Return what the source networks and what the submission say about test clip `row`.

        The confidence of the submission is the mean probability of its label over all networks and views.
        """
        before_K, after_K = self.fused["source_only"][row], self.fused["tta_3x3"][row]
        first, last = int(predicted_labels(before_K[None])[0]), int(self.final_N[row])
        return Guess(first, _confidence(before_K, first)), Guess(last, _confidence(after_K, last))


def collect(run: DemoRun) -> DemoFigures:
    """Measure every step on the dark test set.

    Raises:
        InputError: a step lacks its predictions, a model lacks a clip, or a round labels nothing or unknown clips.
    """
    names = list(run.truth)
    truth_N = np.array([run.truth[name] for name in names], dtype=np.int64)
    final_N = np.array([run.submission.get(name, -1) for name in names], dtype=np.int64)
    ladder: list[LadderRow] = []
    steps: list[StepResult] = []
    fused: dict[str, np.ndarray] = {}
    later = {f"pseudo_{stage}" for stage in range(max(run.pseudo) + 1, 5)}  # a short demo has fewer rounds
    for step in (step.name for step in STEPS if step.name not in {"ensemble", *later}):
        tests = {key: models for key, models in run.tests.items() if key[0] == step}
        if not tests:
            raise InputError(f"the step {step} has no test predictions; run the demo to its end first")
        for (_, views, crops), models in tests.items():
            probs = {model: _rows_of(scores, names) for model, scores in models.items()}
            weights_M = trust(list(probs.values())) * [run.weights.get(model, 1.0) for model in probs]
            fused[step] = fuse(list(probs.values()), weights_M.tolist())
            top1 = {model: accuracy(predicted_labels(probs_NK), truth_N) for model, probs_NK in probs.items()}
            top1[MEAN] = float(np.mean(list(top1.values())))
            top1[VOTE] = accuracy(predicted_labels(fused[step]), truth_N)
            ladder += [LadderRow(step, model, views, crops, value) for model, value in top1.items()]
        steps.append(_step_result(step, predicted_labels(fused[step]), truth_N, len(run.class_names)))
    ladder.append(LadderRow("ensemble", VOTE, 3, 3, accuracy(final_N, truth_N)))
    steps.append(_step_result("ensemble", final_N, truth_N, len(run.class_names)))
    rounds = [_measure_round(stage, run) for stage in sorted(run.pseudo)]
    return DemoFigures(ladder, steps, rounds, names, truth_N, final_N, fused)


def choose_clips(truth_N: np.ndarray, count: int, seed: int) -> list[int]:
    """Return the rows of `count` clips drawn at random, one of every class as far as that goes, ordered by class."""
    order_N = np.random.default_rng(seed).permutation(len(truth_N))
    first = {int(truth_N[row]): int(row) for row in order_N[::-1]}
    chosen = list(first.values())[:count]
    chosen += [int(row) for row in order_N if int(row) not in chosen][: count - len(chosen)]
    return sorted(chosen, key=lambda row: (truth_N[row], row))


def _step_result(step: str, labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> StepResult:
    """Return the figures of one step class by class."""
    per_class_K = per_class_accuracy(labels_N, truth_N, num_classes)
    return StepResult(step, per_class_K, confusion_matrix(labels_N, truth_N, num_classes))


def _rows_of(scores: Scores, names: list[str]) -> np.ndarray:
    """Return the probabilities (N, K) in the order of `names`."""
    row_of = {name: row for row, name in enumerate(scores.names)}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise InputError(
            f"{scores.source} lacks {len(missing)} of the {len(names)} test clips, for example {missing[0]!r}; "
            "make the predictions again with the list of this test set"
        )
    probs_NK = probabilities(scores.scores_NK, scores.kind, scores.num_views)
    return probs_NK[[row_of[name] for name in names]]


def _measure_round(stage: int, run: DemoRun) -> PseudoRound:
    """Compare the labels of one round with the pool's truth."""
    labels = run.pseudo[stage]
    unknown = [name for name in labels if name not in run.pool_truth]
    if unknown or not labels:
        what = f"{unknown[0]!r}, which the pool's truth does not know" if unknown else "no clip"
        raise InputError(f"the pseudo-labels of round {stage} hold {what}; make them again from this pool")
    given_N = np.array(list(labels.values()), dtype=np.int64)
    truth_N = np.array([run.pool_truth[name] for name in labels], dtype=np.int64)
    pool_P = np.array(list(run.pool_truth.values()), dtype=np.int64)
    selected_P = np.array([name in labels for name in run.pool_truth])
    count = len(run.class_names)
    return PseudoRound(
        stage=stage,
        selected=len(labels),
        pool=len(run.pool_truth),
        precision=accuracy(given_N, truth_N),
        precision_K=per_class_precision(given_N, truth_N, count),
        coverage_K=per_class_coverage(selected_P, pool_P, count),
    )


def _confidence(probs_K: np.ndarray, label: int) -> float:
    """Return the probability of a label, 0 when there is none."""
    return 0.0 if label < 0 or np.isnan(probs_K).any() else float(probs_K[label])
