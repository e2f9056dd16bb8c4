"""Share of right labels of predictions, where labels are known; with several labels a video, mean average precision."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.apps.stages import shown
from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.lists.names import video_key
from slowfast.lists.records import read_list
from slowfast.lists.rows import SEPARATORS
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.scores import mean_average_precision

# Columns of a video's name and class in predictions.csv and in a submission.
_COLUMNS = (("name", "label"), ("Video", "ClassID"))


def labels_of(path: Path) -> dict[str, int]:
    """Return the predicted class of every video of a file; -1 for one without scores.

    Raises:
        InputError: it is neither a prediction file with names, nor predictions.csv, nor a submission.
    """
    if path.suffix == ".pkl":
        return _labels_in(load_predictions(path), path)
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        name, label = next(pair for pair in _COLUMNS if rows and set(pair) <= rows[0].keys())
        return {row[name]: int(row[label]) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration, ValueError, TypeError):
        raise InputError(f"{path}: not a PKL of a test, predictions.csv or arid_pred.csv") from None


def _labels_in(loaded: Predictions, path: Path) -> dict[str, int]:
    """Return the predicted class of every video of a prediction file that was read."""
    if loaded.video_names is None:
        raise InputError(f"{path}: has no video names; test the model again")
    labels_N = np.where(loaded.missing, -1, np.nan_to_num(loaded.video_preds).argmax(axis=1))
    return dict(zip(loaded.video_names, labels_N.tolist()))


def score(paths: Sequence[Path], truth_file: Path) -> dict[str, float]:
    """Print and return the share of right labels of every file, in percent, or its mean average precision.

    Raises:
        InputError: a file is no prediction, or none of its videos has a known class.
    """
    shares = {}
    for path in paths:
        loaded = load_predictions(path, several=True) if path.suffix == ".pkl" else None
        if loaded is not None and loaded.video_targets is not None:
            shares[str(path)], known, what = _score_several(path, loaded, truth_file)
        else:
            labels = labels_of(path) if loaded is None else _labels_in(loaded, path)
            shares[str(path)], known, what = _score_one(path, labels, truth_file)
        print(f"{shares[str(path)]:6.2f} % {what}of {known} videos: {shown(path)}")
    return shares


def _score_one(path: Path, predicted: dict[str, int], truth_file: Path) -> tuple[float, int, str]:
    """Return the share of right labels in percent, of how many videos, and no word on what it is."""
    names, truth_N = read_names(truth_file, labelled=True)
    truth = {video_key(name): label for name, label in zip(names, truth_N.tolist()) if label >= 0}
    labels = {video_key(name): label for name, label in predicted.items()}
    known = [name for name in labels if name in truth]
    if not known:
        raise InputError(f"{path}: {shown(truth_file)} knows the class of none of its {len(labels)} videos")
    return 100.0 * sum(labels[name] == truth[name] for name in known) / len(known), len(known), ""


def _score_several(path: Path, loaded: Predictions, truth_file: Path) -> tuple[float, int, str]:
    """Return the mean average precision in percent, of how many videos, and what it is."""
    records = read_list(
        truth_file, "", separator=SEPARATORS, num_classes=loaded.num_classes, labelled=False, allow_outside=True,
        check_files=False, several=True,
    )  # fmt: skip
    truth = {video_key(record.name): record.probs for record in records if record.probs is not None}
    keys = [video_key(name) for name in loaded.video_names or ()]
    known = [row for row, key in enumerate(keys) if key in truth and not loaded.missing[row]]
    targets = [truth[keys[row]] for row in known]
    mean, classes = mean_average_precision(loaded.video_preds[known], np.stack(targets)) if known else (0.0, 0)
    if not classes:
        raise InputError(f"{path}: {shown(truth_file)} knows a label of none of its {len(keys)} videos")
    return mean, len(known), f"mAP over {classes} classes "
