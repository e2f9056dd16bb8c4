"""Accuracies from labels and truth. Legend: N videos, K classes, P rows of a pool."""

import numpy as np


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


def per_class_accuracy(labels_N: np.ndarray, truth_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float (K,): the share of right labels among the videos of each class in percent, NaN without videos."""
    right_K = np.bincount(truth_N[labels_N == truth_N], minlength=num_classes)
    return _percent(right_K, np.bincount(truth_N, minlength=num_classes))


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
