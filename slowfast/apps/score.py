"""Share of right labels of predictions, where labels are known."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.apps.stages import shown
from slowfast.ensemble.predictions import load_predictions
from slowfast.lists.names import video_key
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError

# Columns of a video's name and class in predictions.csv and in a submission.
_COLUMNS = (("name", "label"), ("Video", "ClassID"))


def labels_of(path: Path) -> dict[str, int]:
    """Return the predicted class of every video of a file; -1 for one without scores.

    Raises:
        InputError: it is neither a prediction file with names, nor predictions.csv, nor a submission.
    """
    if path.suffix == ".pkl":
        loaded = load_predictions(path)
        if loaded.video_names is None:
            raise InputError(f"{path}: has no video names; test the model again")
        labels_N = np.where(loaded.missing, -1, np.nan_to_num(loaded.video_preds).argmax(axis=1))
        return dict(zip(loaded.video_names, labels_N.tolist()))
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        name, label = next(pair for pair in _COLUMNS if rows and set(pair) <= rows[0].keys())
        return {row[name]: int(row[label]) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration, ValueError, TypeError):
        raise InputError(f"{path}: not a PKL of a test, predictions.csv or arid_pred.csv") from None


def score(paths: Sequence[Path], truth_file: Path) -> dict[str, float]:
    """Print and return the share of right labels of every file, in percent.

    Raises:
        InputError: a file is no prediction, or none of its videos has a known class.
    """
    names, truth_N = read_names(truth_file, labelled=True)
    truth = {video_key(name): label for name, label in zip(names, truth_N.tolist()) if label >= 0}
    shares = {}
    for path in paths:
        labels = {video_key(name): label for name, label in labels_of(path).items()}
        known = [name for name in labels if name in truth]
        if not known:
            raise InputError(f"{path}: {shown(truth_file)} knows the class of none of its {len(labels)} videos")
        shares[str(path)] = 100.0 * sum(labels[name] == truth[name] for name in known) / len(known)
        print(f"{shares[str(path)]:6.2f} % of {len(known)} videos: {shown(path)}")
    return shares
