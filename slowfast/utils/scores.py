"""Arithmetic of scores, for every room: softmax, labels, accuracy, confusion, average precision.

Legend: N videos, K classes.
"""

import numpy as np


def softmax(scores_NK: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis in the array's own precision; a row with a NaN is all NaN."""
    with np.errstate(invalid="ignore"):
        raised_NK = np.exp(scores_NK - scores_NK.max(axis=-1, keepdims=True))
        return raised_NK / raised_NK.sum(axis=-1, keepdims=True)


def probabilities(scores_NK: np.ndarray, kind: str, num_views: int) -> np.ndarray:
    """Return one probability row per video from scores summed over its views and crops.

    Args:
        scores_NK: float (N, K); rows of NaN stay NaN.
        kind: `probs`: the mean over the views; `logits`: the softmax of that mean.
        num_views: views x crops of the sum.

    Returns:
        float64 (N, K).
    """
    mean_NK = np.asarray(scores_NK, dtype=np.float64) / num_views
    return mean_NK if kind == "probs" else softmax(mean_NK)


def predicted_labels(probs_NK: np.ndarray) -> np.ndarray:
    """Return int64 (N,): the largest class, the first one on ties, -1 for rows with a NaN."""
    missing_N = np.isnan(probs_NK).any(axis=1)
    return np.where(missing_N, -1, np.where(missing_N[:, None], 0.0, probs_NK).argmax(axis=1))


def accuracy(labels_N: np.ndarray, truth_N: np.ndarray) -> float:
    """Return the share of right labels in percent; a video without a label (-1) is wrong."""
    return 100.0 * float(np.mean(np.asarray(labels_N) == np.asarray(truth_N)))


def top_errors(scores_NK: np.ndarray, truth_N: np.ndarray) -> tuple[float, float]:
    """Return the share of videos whose class is not the first, and not among the first five, in percent."""
    hits_NK = np.argsort(-scores_NK, axis=1, kind="stable") == truth_N[:, None]
    return 100.0 * (1.0 - float(hits_NK[:, 0].mean())), 100.0 * (1.0 - float(hits_NK[:, :5].any(1).mean()))


def average_precision(scores_N: np.ndarray, is_positive_N: np.ndarray) -> float:
    """Return the sum over falling scores of precision times gain of recall, as scikit-learn defines it.

    Args:
        scores_N: float (N,); equal scores are one step.
        is_positive_N: bool (N,), at least one of them true.
    """
    order_N = np.argsort(-scores_N, kind="stable")
    falling_N, hits_N = scores_N[order_N], np.cumsum(is_positive_N[order_N])
    last_S = np.append(np.flatnonzero(np.diff(falling_N)), len(falling_N) - 1)
    found_S = hits_N[last_S]
    gained_S = np.diff(found_S, prepend=0) / hits_N[-1]
    return float((gained_S * found_S / (last_S + 1)).sum())


def mean_average_precision(scores_NK: np.ndarray, targets_NK: np.ndarray) -> tuple[float, int]:
    """Return the mean average precision in percent, over the classes that some video has, and how many these are.

    Args:
        scores_NK: float (N, K), finite.
        targets_NK: float (N, K): 1 for every label of a video, else 0; a class with no 1 is left out.

    Returns:
        NaN and 0 when no video has a label.
    """
    is_positive_NK = np.asarray(targets_NK) > 0
    classes = np.flatnonzero(is_positive_NK.any(axis=0))
    each = [average_precision(scores_NK[:, number], is_positive_NK[:, number]) for number in classes]
    return (100.0 * float(np.mean(each)) if each else float("nan")), len(each)


def confusion_matrix(labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Return int64 (K, K): videos of class row that were labelled as class column; unlabelled ones (-1) left out."""
    matrix_KK = np.zeros((num_classes, num_classes), dtype=np.int64)
    known_N = labels_N >= 0
    np.add.at(matrix_KK, (truth_N[known_N], labels_N[known_N]), 1)
    return matrix_KK
