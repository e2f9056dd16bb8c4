"""The final vote: the published one over ten prediction files, or the weighted mean of any voters."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from slowfast.ensemble.agreement import most_agreeing, weighted_trust
from slowfast.ensemble.calibration import clip_probabilities
from slowfast.ensemble.fuse import join_voters, unexpected_kinds
from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.ensemble.provenance import check_voters, made_of_vote
from slowfast.ensemble.rules import Mode, SubmissionRules
from slowfast.ensemble.submission import write_predictions, write_submission
from slowfast.ensemble.vote import majority_vote, run_mode, trusted_weights
from slowfast.lists.tables import read_names
from slowfast.parents import write_record
from slowfast.utils.errors import InputError
from slowfast.utils.scores import softmax


def load_all(root: Path, files: dict[str, dict[str, str | list[str]]]) -> dict[str, Predictions]:
    """Return the predictions by relative path; all missing files are named together."""
    wanted = sorted({path for layout in files.values() for paths in layout.values() for path in _several(paths)})
    absent = [path for path in wanted if not (root / path).exists()]
    if absent:
        raise InputError(
            f"{len(absent)} of {len(wanted)} prediction files are missing below {root}: {', '.join(absent)};"
            " run test.sh of these experiments first (TEST.NUM_ENSEMBLE_VIEWS and TEST.NUM_SPATIAL_CROPS are the"
            " last two numbers of the name)"
        )
    return {path: load_predictions(root / path) for path in wanted}


def _several(paths: str | list[str]) -> list[str]:
    """Return the alternatives of a model."""
    return [paths] if isinstance(paths, str) else paths


def choose_files(files: dict[str, dict[str, str | list[str]]], voters: dict[str, Predictions]) -> dict:
    """Return the files with one for every model: the alternative that agrees most with the other models."""
    chosen = {}
    for name, layout in files.items():
        alternatives = [_several(paths) for paths in layout.values()]
        probs = [[clip_probabilities(voters[path]) for path in paths] for paths in alternatives]
        picks = most_agreeing(probs) if any(len(paths) > 1 for paths in alternatives) else [0] * len(probs)
        chosen[name] = {model: paths[pick] for model, paths, pick in zip(layout, alternatives, picks)}
        for model, paths in zip(layout, alternatives):
            if len(paths) > 1:
                print(f"{name}: {model} is taken from {chosen[name][model]}, which agrees most with the others")
    return chosen


def fill_missing(voters: dict[str, Predictions], names: list[str], allowed: bool) -> None:
    """Replace rows without scores by equal scores, or refuse them."""
    missing_VN = np.stack([predictions.missing for predictions in voters.values()])
    rows = np.flatnonzero(missing_VN.any(axis=0))
    if not len(rows):
        return
    source = next(p.source for p in voters.values() if p.missing[rows[0]])
    if not allowed:
        raise InputError(
            f"{len(rows)} videos have no scores (NaN), first {names[rows[0]]!r} in {source}; a submission needs every"
            " video, so test them again or pass --fill-missing"
        )
    print(f"warning: {len(rows)} videos without scores are filled, first {names[rows[0]]!r}", file=sys.stderr)
    for predictions in voters.values():
        predictions.video_preds[predictions.missing] = 1.0


def scores_of(predictions: Predictions, per_clip: bool) -> np.ndarray:
    """Return the scores that the vote applies its softmax to, float32 (N, K).

    The published vote takes the sums of a file as they are. With `per_clip` they are such that the softmax gives
    the mean probabilities of a clip, whatever the number of views and the kind of score.
    """
    return np.log(clip_probabilities(predictions) + 1e-12) if per_clip else predictions.video_preds


def vote(
    rules: SubmissionRules,
    root: Path,
    list_file: Path,
    folder: Path,
    *,
    separator: str | None = None,
    fill: bool = False,
    estimate: Path | None = None,
    mixed: bool = False,
) -> None:
    """Run all modes and the vote; files are written only when everything has been computed.

    Args:
        rules: files, modes, corrections.
        root: folder of the experiments.
        list_file: test list.
        folder: of the submission.
        separator: of the list; None: found.
        fill: whether a model without scores for a video counts as undecided.
        estimate: JSON of a table of the whole pool, whose estimated precision `predictions.csv` takes over.
        mixed: whether voters of different rounds, lists, clips or gamma are taken.
    """
    names, _ = read_names(list_file, separator)
    loaded = load_all(root, rules.files)
    check_voters(list(loaded.values()), mixed=mixed)
    first = next(iter(loaded.values()))
    if rules.num_classes and first.num_classes != rules.num_classes:
        raise InputError(
            f"{first.source} has {first.num_classes} classes, but the corrections are for {rules.num_classes}"
        )
    files = {**{path: root / path for path in loaded}, "list": list_file}
    made_of = made_of_vote("submission", files, {**vars(rules), "fill": fill})
    voters = join_voters(loaded, names, str(list_file))
    fill_missing(voters, names, fill)
    rules = replace(rules, files=choose_files(rules.files, voters))
    for layout in rules.files.values():
        kinds = unexpected_kinds({model: voters[path] for model, path in layout.items()}, rules.score_kinds)
        for sentence in kinds:
            print(f"warning: {sentence}", file=sys.stderr)
    results = {number: _run(number, mode, rules, voters) for number, mode in rules.modes.items()}
    voted_N, giver_N = majority_vote([results[number][0] for number in rules.vote])
    mixed_NK = np.stack([results[number][1] for number in rules.vote])[giver_N, np.arange(len(names))]
    for number, (labels_N, probs_NK) in results.items():
        write_submission(folder / f"arid_pred_{number}.csv", names, labels_N, softmax(probs_NK))
    write_submission(folder / "arid_pred.csv", names, voted_N, softmax(mixed_NK))
    write_record(folder / "arid_pred.csv", made_of, files)
    classes = first.class_names or [str(number) for number in range(first.num_classes)]
    shares_NK = mixed_NK / mixed_NK.sum(axis=1, keepdims=True)
    write_predictions(folder / "predictions.csv", names, voted_N, shares_NK, classes, estimated(estimate))
    changed = int((results[rules.vote[0]][0] != voted_N).sum())
    print(f"{len(names)} videos voted, {changed} labels differ from mode {rules.vote[0]}; written to {folder}")


def _run(
    number: int, mode: Mode, rules: SubmissionRules, voters: dict[str, Predictions]
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and mixed rows of one mode."""
    scores = {model: scores_of(voters[path], rules.per_clip) for model, path in rules.files[mode.files].items()}
    if rules.weigh:
        mode = replace(mode, weights=trusted_weights(scores, mode.weights))
        shares = ", ".join(f"{model} {weight:.2f}" for model, weight in mode.weights.usual.items())
        print(f"mode {number}: weights by agreement: {shares}")
    return run_mode(scores, mode)


def estimated(record: Path | None) -> float | None:
    """Return the precision that the record of a pseudo-label table estimates, None without one.

    Raises:
        InputError: it is no such record.
    """
    if record is None:
        return None
    try:
        value = json.loads(record.read_text(encoding="utf-8"))["estimated_precision"]
        return None if value is None else float(value)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{record}: no record of a pseudo-label table with an estimate ({error}); give the JSON beside one"
        ) from None


def _chosen_voters(
    voters: Mapping[str, tuple[Path, float]], alternatives: Sequence[str], names: list[str], source: str, mixed: bool
) -> dict[str, tuple[Path, Predictions]]:
    """Return file and predictions of every voter in list order; of its alternatives the one that agrees most."""
    absent = [f"{name}: {path}" for name, (path, _) in voters.items() if not path.is_file()]
    if absent:
        raise InputError(
            f"{len(absent)} of {len(voters)} prediction files are missing: {', '.join(absent)}; test these first"
        )
    paths = {
        name: [path, *(other for end in alternatives if (other := path.with_stem(path.stem + end)).is_file())]
        for name, (path, _) in voters.items()
    }
    loaded = {(name, path): load_predictions(path) for name, several in paths.items() for path in several}
    check_voters([loaded[name, several[0]] for name, several in paths.items()], mixed=mixed)
    joined = join_voters(loaded, names, source)
    probs = [[clip_probabilities(joined[name, path]) for path in several] for name, several in paths.items()]
    picks = most_agreeing(probs) if len(joined) > len(voters) else [0] * len(probs)
    chosen = {name: several[pick] for (name, several), pick in zip(paths.items(), picks)}
    for name, path in chosen.items():
        if len(paths[name]) > 1:
            print(f"{name} is taken from {path}, which agrees most with the others")
    return {name: (path, joined[name, path]) for name, path in chosen.items()}


def plain_vote(
    voters: Mapping[str, tuple[Path, float]],
    list_file: Path,
    folder: Path,
    *,
    separator: str | None = None,
    fill: bool = False,
    estimate: Path | None = None,
    mixed: bool = False,
    alternatives: Sequence[str] = (),
    weigh: str = "",
) -> None:
    """Write the weighted mean of the voters' probabilities of a clip: `arid_pred.csv` and `predictions.csv`.

    No corrections happen to it, and voters may differ in views, kinds of score, frames and sizes.

    Args:
        voters: name -> (prediction file, weight).
        list_file: test list.
        folder: of both files.
        separator: of the list; None: found.
        fill: whether a voter without scores for a video counts as undecided.
        estimate: see `vote`.
        mixed: see `vote`.
        alternatives: endings of further files of a voter beside its own, `FILE` + ending + `.pkl`, that are taken where
            they are there: the vote takes the one that agrees most with the other voters.
        weigh: `agreement` multiplies the weights by how far the voters agree with each other beyond chance.

    Raises:
        InputError: files are missing, or belong to other videos or classes.
    """
    names, _ = read_names(list_file, separator)
    chosen = _chosen_voters(voters, alternatives, names, str(list_file), mixed)
    files = {**{f"voter {name}": path for name, (path, _) in chosen.items()}, "list": list_file}
    weights = {name: weight for name, (_, weight) in voters.items()}
    settings = {"weights": weights, "fill": fill, **({"weigh": weigh} if weigh else {})}
    made_of = made_of_vote("submission", files, settings)
    joined = {name: predictions for name, (_, predictions) in chosen.items()}
    fill_missing(joined, names, fill)
    probs_VNK = np.stack([clip_probabilities(predictions) for predictions in joined.values()])
    weights_V = np.array(list(weights.values()))
    weights_V = weighted_trust(probs_VNK, weights_V) if weigh else weights_V / weights_V.sum()
    if weigh:
        print("weights by agreement: " + ", ".join(f"{name} {part:.2f}" for name, part in zip(joined, weights_V)))
    mixed_NK = np.tensordot(weights_V, probs_VNK, 1)
    labels_N = mixed_NK.argmax(axis=1)
    named = next((one.class_names for one in joined.values() if one.class_names), None)
    classes = named or [str(number) for number in range(mixed_NK.shape[1])]
    write_predictions(folder / "predictions.csv", names, labels_N, mixed_NK, classes, estimated(estimate))
    write_submission(folder / "arid_pred.csv", names, labels_N, mixed_NK)
    write_record(folder / "arid_pred.csv", made_of, files)
    agree_V = (probs_VNK.argmax(axis=2) == labels_N).mean(axis=1)
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in zip(joined, agree_V))
    print(f"{len(names)} videos voted by {len(joined)}; written to {folder}; agreement with the vote: {shares}")
