"""Figures of a schedule with whatever is known. Legend: N videos, K classes, V voters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.apps.report.folder import Found, Table, Test
from slowfast.ensemble.calibration import clip_probabilities
from slowfast.ensemble.label_free import signed_margin
from slowfast.lists.names import video_key
from slowfast.report import Heat, LadderRow, PseudoRound, StepResult
from slowfast.report.data import MEAN, VOTE
from slowfast.report.measures import fuse, per_class_accuracy, per_class_coverage, per_class_precision
from slowfast.utils.errors import InputError
from slowfast.utils.scores import accuracy, confusion_matrix, predicted_labels


@dataclass
class Rung:
    """All voters of one step (experiment, round) on one test; `probs` are NaN where a voter has none."""

    step: str
    test: Test
    names: list[str]
    probs: dict[str, np.ndarray]  # per voter (N, K)
    fused_NK: np.ndarray
    truth_N: np.ndarray  # -1 unknown
    folder: Path | None  # of the videos
    gamma: float
    title: str

    @property
    def labels_N(self) -> np.ndarray:
        """The voters' common labels."""
        return predicted_labels(self.fused_NK)


def class_names_of(found: Found) -> list[str]:
    """Return the names of the classes, numbers where nobody says; InputError where their numbers differ."""
    tests = [test for run in found.runs for test in run.tests.values()]
    counts = {test.num_classes: test.source for test in tests}
    counts |= {table.rows.probs.shape[1]: table.rows.source for table in found.tables}
    if len(counts) > 1:
        wrong = " and ".join(f"{source} has {count} classes" for count, source in counts.items())
        raise InputError(f"{wrong}; a report needs runs with the same classes")
    named = [test.class_names for test in tests] + [run.data.get("CLASS_NAMES") for run in found.runs]
    size = next(iter(counts), 0)
    default = [f"class {index}" for index in range(size)]
    return next((list(map(str, names)) for names in named if names and len(names) == size), default)


def rungs_of(found: Found, truth: Mapping[str, int]) -> list[Rung]:
    """Put the voters of every step and test side by side; rows are joined by name."""
    groups: dict[tuple[str, Test], list] = {}
    for run in found.runs:
        for test in run.tests:
            groups.setdefault((run.step, test), []).append(run)
    rungs = []
    steps, splits = ({key[0] for key in groups}, {key[1].split for key in groups})
    for (step, test), runs in groups.items():
        names: dict[str, str] = {}
        known: dict[str, int] = {}
        scores = {}
        for run in runs:
            predictions = run.tests[test]
            own = predictions.video_names or [f"row {row + 1}" for row in range(len(predictions.video_preds))]
            names |= {video_key(name): name for name in own if video_key(name) not in names}
            known |= {video_key(name): label for name, label in zip(own, predictions.video_labels.tolist())}
            try:
                scores[run.voter] = dict(zip(map(video_key, own), clip_probabilities(predictions)))
            except InputError as error:
                found.notes.append(str(error))
        if not scores:
            continue
        nothing_K = np.full(runs[0].tests[test].num_classes, np.nan)
        probs = {voter: np.stack([rows.get(key, nothing_K) for key in names]) for voter, rows in scores.items()}
        truth_N = np.array([truth.get(key, known.get(key, -1)) for key in names], np.int64)
        truth_N[truth_N >= len(nothing_K)] = -1
        gamma = float((runs[0].data.get("GAMMA") or {}).get("TEST", 0.25))
        fused_NK = fuse(list(probs.values()))
        folder = runs[0].video_folder(test.split)
        parts = [step] * (len(steps) > 1 or len(splits) == 1) + [test.split] * (len(splits) > 1)
        title = ", ".join(parts) + test.rest.replace("_", " ")
        rungs.append(Rung(step, test, list(names.values()), probs, fused_NK, truth_N, folder, gamma, title))
    return rungs


def ladder_of(rungs: Sequence[Rung]) -> tuple[list[LadderRow], list[StepResult]]:
    """Return the accuracies where labels are known, and the figures class by class."""
    ladder, steps = [], []
    for rung in sorted(rungs, key=lambda rung: rung.test.split):  # stable: the steps stay in their order
        known_N = rung.truth_N >= 0
        if not known_N.any():
            continue
        truth_M, place = rung.truth_N[known_N], (rung.test.views, rung.test.crops)
        labels = {voter: predicted_labels(probs_NK[known_N]) for voter, probs_NK in rung.probs.items()}
        top1 = {voter: accuracy(labels_M, truth_M) for voter, labels_M in labels.items()}
        top1 |= {MEAN: float(np.mean(list(top1.values()))), VOTE: accuracy(rung.labels_N[known_N], truth_M)}
        ladder += [LadderRow(rung.title, voter, *place, value, rung.test.split) for voter, value in top1.items()]
        classes, fused_M = rung.fused_NK.shape[1], rung.labels_N[known_N]
        matrix_KK = confusion_matrix(fused_M, truth_M, classes)
        views = "" if place == (1, 1) else " {}x{}".format(*place)
        steps.append(StepResult(rung.title + views, per_class_accuracy(fused_M, truth_M, classes), matrix_KK))
    return ladder, steps


def agreement_of(rungs: Sequence[Rung]) -> list[Heat]:
    """Return how often voters of a step, and the steps on one list, agree."""
    plain = [rung for rung in rungs if not rung.test.rest]
    heats = [
        _agreement(f"{rung.title}, {rung.test.views} x {rung.test.crops}", {
            voter: dict(zip(rung.names, predicted_labels(probs_NK).tolist())) for voter, probs_NK in rung.probs.items()
        })
        for rung in plain if len(rung.probs) > 1
    ]  # fmt: skip
    for split in dict.fromkeys(rung.test.split for rung in plain):
        steps = {rung.step: dict(zip(rung.names, rung.labels_N.tolist())) for rung in plain if rung.test.split == split}
        heats += [_agreement(f"rounds, all voters together, {split}", steps)] if len(steps) > 1 else []
    return heats


def _agreement(title: str, sources: Mapping[str, Mapping[str, int]]) -> Heat:
    """Return the agreement of every pair in percent of the clips that both label."""
    columns = {}
    for name, mine in sources.items():
        column = []
        for other in sources.values():
            same = [label == other[key] for key, label in mine.items() if label >= 0 and other.get(key, -1) >= 0]
            column.append(100.0 * float(np.mean(same)) if same else float("nan"))
        columns[name] = column
    return Heat(title, list(sources), columns)


def rounds_of(tables: Sequence[Table], classes: int, truth: Mapping[str, int], pool: int) -> list[PseudoRound]:
    """Return quality and quantity of the tables (oldest first), and what changed from one to the next.

    `truth` goes by `video_key`; `pool` is the number of videos where a table's record does not say.
    """
    rounds, before = [], {}
    pool_truth_P = np.array([label for label in truth.values() if 0 <= label < classes], np.int64)
    pool_keys = [key for key, label in truth.items() if 0 <= label < classes]
    for stage, table in enumerate(tables, 1):
        labels = dict(zip(map(video_key, table.rows.names), table.rows.labels.tolist()))
        size = table.record.get("pool")
        known = [key for key in labels if 0 <= truth.get(key, -1) < classes]
        given_M, truth_M = np.array([labels[key] for key in known], int), np.array([truth[key] for key in known], int)
        selected_P = np.array([key in labels for key in pool_keys], bool)
        same = sum(before.get(key, -1) == label for key, label in labels.items())
        new = sum(key not in before for key in labels)
        rounds.append(PseudoRound(
            stage, len(labels), size if isinstance(size, int) and size >= len(labels) else max(pool, len(labels)),
            precision=accuracy(given_M, truth_M) if known else None,
            precision_K=per_class_precision(given_M, truth_M, classes).tolist() if known else None,
            coverage_K=per_class_coverage(selected_P, pool_truth_P, classes).tolist() if known else None,
            estimated=_estimate(table.record),
            shares_K=(100.0 * np.bincount(list(labels.values()), minlength=classes) / len(labels)).tolist(),
            changes=(same, len(labels) - same - new, new, len(before.keys() - labels)) if before else None,
            name=table.name,
        ))  # fmt: skip
        before = labels
    return rounds


def _estimate(record: Mapping) -> float | None:
    """Return the precision that a table's record estimates, in percent; it may be written as a share."""
    value = record.get("estimated_precision")
    value = value.get("precision") if isinstance(value, dict) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return 100.0 * value if value <= 1 else float(value)


def films_of(rungs: Sequence[Rung], tables: Sequence[Table]) -> tuple[list[str], list[dict], dict[int, Rung]]:
    """Return voters, clips as the page filters them (each as its longest list's last step sees it), and their rungs."""
    last = {rung.test.split: rung for rung in rungs if not rung.test.rest}
    ordered = sorted(last.values(), key=lambda rung: -len(rung.names))
    voters = list(dict.fromkeys(voter for rung in ordered for voter in rung.probs))
    kept: dict[str, list] = {}
    for table in tables:
        for name, label in zip(table.rows.names, table.rows.labels.tolist()):
            kept.setdefault(video_key(name), []).append([table.name, label])
    films, rung_of, seen = [], {}, set()
    for rung in ordered:
        labels_N = rung.labels_N
        known_N = labels_N >= 0
        margin_N = np.where(known_N, signed_margin(rung.fused_NK, np.maximum(labels_N, 0)), -1.0)
        guesses = [_guesses(rung.probs[voter]) if voter in rung.probs else [None] * len(labels_N) for voter in voters]
        together = _guesses(rung.fused_NK)
        for row, name in enumerate(rung.names):
            key = video_key(name)
            if key not in seen:
                seen.add(key)
                label, sure = together[row] or (-1, 0.0)
                rung_of[len(films)] = rung
                films.append({
                    "n": name, "l": label, "c": sure, "m": round(float(margin_N[row]), 4), "t": int(rung.truth_N[row]),
                    "v": [column[row] for column in guesses], "r": kept.get(key, []),
                })  # fmt: skip
    return voters, films, rung_of


def _guesses(probs_NK: np.ndarray) -> list[list | None]:
    """Return [label, confidence] of every row, None for one without scores."""
    labels = predicted_labels(probs_NK).tolist()
    peaks = np.nan_to_num(probs_NK).max(axis=1).round(4).tolist()
    return [[label, peak] if label >= 0 else None for label, peak in zip(labels, peaks)]
