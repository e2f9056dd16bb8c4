"""The final vote: ten prediction files become five submission files and the voted one."""

import sys
from pathlib import Path

import numpy as np

from slowfast.ensemble.calibration import clip_probabilities
from slowfast.ensemble.fuse import join_voters, unexpected_kinds
from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.ensemble.rules import SubmissionRules
from slowfast.ensemble.submission import write_submission
from slowfast.ensemble.vote import majority_vote, run_mode
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.scores import softmax


def load_all(root: Path, files: dict[str, dict[str, str]]) -> dict[str, Predictions]:
    """Return the predictions by relative path; all missing files are named together."""
    wanted = sorted({path for layout in files.values() for path in layout.values()})
    absent = [path for path in wanted if not (root / path).exists()]
    if absent:
        raise InputError(
            f"{len(absent)} of {len(wanted)} prediction files are missing below {root}: {', '.join(absent)};"
            " run test.sh of these experiments first (TEST.NUM_ENSEMBLE_VIEWS and TEST.NUM_SPATIAL_CROPS are the"
            " last two numbers of the name)"
        )
    return {path: load_predictions(root / path) for path in wanted}


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
        predictions.video_preds[predictions.missing] = 0.0


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
) -> None:
    """Run all modes and the vote; files are written only when everything has been computed.

    Args:
        rules: files, modes, corrections.
        root: folder of the experiments.
        list_file: test list.
        folder: of the submission.
        separator: of the list; None: found.
        fill: whether a model without scores for a video counts as undecided.
    """
    names, _ = read_names(list_file, separator)
    loaded = load_all(root, rules.files)
    first = next(iter(loaded.values()))
    if rules.num_classes and first.num_classes != rules.num_classes:
        raise InputError(
            f"{first.source} has {first.num_classes} classes, but the corrections are for {rules.num_classes}"
        )
    voters = join_voters(loaded, names, str(list_file))
    fill_missing(voters, names, fill)
    for layout in rules.files.values():
        kinds = unexpected_kinds({model: voters[path] for model, path in layout.items()}, rules.score_kinds)
        for sentence in kinds:
            print(f"warning: {sentence}", file=sys.stderr)
    results = {}
    for number, mode in rules.modes.items():
        scores = {model: scores_of(voters[path], rules.per_clip) for model, path in rules.files[mode.files].items()}
        labels_N, mixed_NK = run_mode(scores, mode)
        results[number] = (labels_N, softmax(mixed_NK))
    voted_N, giver_N = majority_vote([results[number][0] for number in rules.vote])
    voted_probs_VNK = np.stack([results[number][1] for number in rules.vote])
    for number, (labels_N, probs_NK) in results.items():
        write_submission(folder / f"arid_pred_{number}.csv", names, labels_N, probs_NK)
    write_submission(folder / "arid_pred.csv", names, voted_N, voted_probs_VNK[giver_N, np.arange(len(names))])
    changed = int((results[rules.vote[0]][0] != voted_N).sum())
    print(f"{len(names)} videos voted, {changed} labels differ from mode {rules.vote[0]}; written to {folder}")
