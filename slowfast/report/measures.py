"""Accuracies from labels and truth. Legend: N videos, K classes, P rows of a pool."""

import numpy as np


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
    if kind == "probs":
        return mean_NK
    with np.errstate(invalid="ignore"):
        raised_NK = np.exp(mean_NK - mean_NK.max(axis=1, keepdims=True))
    return raised_NK / raised_NK.sum(axis=1, keepdims=True)


def predicted_labels(probs_NK: np.ndarray) -> np.ndarray:
    """Return int64 (N,): the largest class, the first one on ties, -1 for rows with a NaN."""
    missing_N = np.isnan(probs_NK).any(axis=1)
    return np.where(missing_N, -1, np.where(missing_N[:, None], 0.0, probs_NK).argmax(axis=1))


def fuse(probs: list[np.ndarray], weights: list[float] | None = None) -> np.ndarray:
    """Return the weighted mean (N, K) of several voters' probabilities; a voter without a row is left out of it.

    Args:
        probs: float (N, K) of every voter.
        weights: of the voters; default is 1 for all.
    """
    stacked_VNK = np.stack(probs)
    present_VN1 = ~np.isnan(stacked_VNK).any(axis=2, keepdims=True)
    weights_VN1 = present_VN1 * np.reshape(weights or [1.0] * len(probs), (-1, 1, 1))
    total_NK = (np.where(present_VN1, stacked_VNK, 0.0) * weights_VN1).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return total_NK / weights_VN1.sum(axis=0)


def accuracy(labels_N: np.ndarray, truth_N: np.ndarray) -> float:
    """Return the share of right labels in percent; a video without a label (-1) is wrong."""
    return 100.0 * float(np.mean(np.asarray(labels_N) == np.asarray(truth_N)))


def per_class_accuracy(labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float (K,): the share of right labels among the videos of each class in percent, NaN without videos."""
    right_K = np.bincount(truth_N[labels_N == truth_N], minlength=num_classes)
    return _percent(right_K, np.bincount(truth_N, minlength=num_classes))


def confusion_matrix(labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Return int64 (K, K): videos of class row that were labelled as class column; unlabelled ones (-1) left out."""
    matrix_KK = np.zeros((num_classes, num_classes), dtype=np.int64)
    known_N = labels_N >= 0
    np.add.at(matrix_KK, (truth_N[known_N], labels_N[known_N]), 1)
    return matrix_KK


def per_class_precision(labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float (K,): the share of right ones among the videos given each label in percent, NaN without any."""
    right_K = np.bincount(labels_N[labels_N == truth_N], minlength=num_classes)
    return _percent(right_K, np.bincount(labels_N, minlength=num_classes))


def per_class_coverage(selected_P: np.ndarray, truth_P: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float (K,): the share of each true class that was selected in percent, NaN without rows.

    Args:
        selected_P: bool (P,).
        truth_P: int (P,).
        num_classes: K.
    """
    return _percent(
        np.bincount(truth_P[selected_P], minlength=num_classes), np.bincount(truth_P, minlength=num_classes)
    )


def _percent(part_K: np.ndarray, whole_K: np.ndarray) -> np.ndarray:
    """Return 100 x part / whole, NaN where the whole is 0."""
    return np.where(whole_K > 0, 100.0 * part_K / np.maximum(whole_K, 1), np.nan)
