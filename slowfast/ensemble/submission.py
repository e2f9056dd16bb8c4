"""The submission file of the UG2+ challenge, in the text form of the original."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.ensemble.calibration import temperature_for
from slowfast.utils.files import write_text
from slowfast.utils.scores import softmax

HEADER = ("VideoID", "Video", "ClassID", "Probability")
_LINE_WIDTH = 80
_PREFIX = "tensor([["


def tensor_text(probs_K: np.ndarray) -> str:
    """Return probabilities as torch prints a (1, K) tensor: four decimals, lines of at most 80 characters.

    Args:
        probs_K: float32 (K,), values of one order of magnitude.
    """
    texts = [f"{value:.4f}" for value in np.asarray(probs_K, dtype=np.float64)]
    per_line = max(1, (_LINE_WIDTH - len(_PREFIX) + 1) // (max(map(len, texts)) + 2))
    lines = [", ".join(texts[start : start + per_line]) for start in range(0, len(texts), per_line)]
    return _PREFIX + (",\n" + " " * len(_PREFIX)).join(lines) + "]])"


def submission_text(names: Sequence[str], labels_N: np.ndarray, probs_NK: np.ndarray) -> str:
    r"""Return the whole submission file: header, one row per video, `\r\n` line ends.

    Args:
        names: N video names.
        labels_N: int (N,).
        probs_NK: float32 (N, K), the submitted probabilities.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(HEADER)
    for row, (name, label, probs_K) in enumerate(zip(names, labels_N, probs_NK, strict=True)):
        writer.writerow((row, name, int(label), tensor_text(probs_K)))
    return buffer.getvalue()


def write_predictions(
    path: str | Path,
    names: Sequence[str],
    labels_N: np.ndarray,
    probs_NK: np.ndarray,
    class_names: Sequence[str],
    estimate: float | None = None,
) -> None:
    """Write a plain table: `name,label,class,estimate` and a column of probabilities per class.

    Args:
        path: the file.
        names: N video names.
        labels_N: int (N,).
        probs_NK: float (N, K), rows sum to 1.
        class_names: K names.
        estimate: share of the labels that is estimated to be right; `estimate` of a row is its probability at the
            temperature that gives this mean. Empty without it.
    """
    rows = np.arange(len(names))
    right_N = [""] * len(names)
    if estimate is not None and len(names):
        probs_NK = np.asarray(probs_NK, dtype=np.float64)
        scaled_NK = softmax(np.log(np.maximum(probs_NK, 1e-12)) / temperature_for(probs_NK, estimate))
        right_N = [f"{value:.4f}" for value in scaled_NK[rows, labels_N]]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("name", "label", "class", "estimate", *class_names))
    for name, label, right, probs_K in zip(names, labels_N, right_N, probs_NK, strict=True):
        writer.writerow((name, int(label), class_names[label], right, *(f"{value:.4f}" for value in probs_K)))
    write_text(path, buffer.getvalue())


def write_submission(path: str | Path, names: Sequence[str], labels_N: np.ndarray, probs_NK: np.ndarray) -> None:
    """Write a submission file; it appears whole or not at all. Arguments as in `submission_text`."""
    write_text(path, submission_text(names, labels_N, probs_NK))
