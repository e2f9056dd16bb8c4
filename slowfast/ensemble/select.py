"""Selection of pseudo-labels with a threshold per class, and the search for such thresholds.

Legend: N videos, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID = np.linspace(0.0, 1.0, 1001)


def select_by_thresholds(probs_NK: np.ndarray, thresholds_K: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of every row and which rows reach the threshold of their label.

    Args:
        probs_NK: float (N, K), compared in float64; rows with a NaN are never selected.
        thresholds_K: K thresholds.

    Returns:
        int64 (N,) labels (the first class on a tie, 0 for rows with a NaN) and bool (N,).
    """
    probs_NK = np.asarray(probs_NK, dtype=np.float64)
    labels_N = probs_NK.argmax(axis=1)
    with np.errstate(invalid="ignore"):
        kept_N = probs_NK.max(axis=1) >= np.asarray(thresholds_K, dtype=np.float64)[labels_N]
    return labels_N, kept_N


@dataclass(frozen=True)
class ThresholdPoint:
    """What one threshold selects for one class.

    Attributes:
        th: the threshold.
        selected: rows of the predicted class at or above it.
        correct: those whose true class is this one.
        num_real: rows whose true class is this one.
        num_predicted: rows of the predicted class at any confidence.
    """

    th: float
    selected: int
    correct: int
    num_real: int
    num_predicted: int

    @property
    def precision(self) -> float:
        """Correct share of the selected rows."""
        return self.correct / self.selected

    @property
    def coverage(self) -> float:
        """Selected share of the rows predicted as this class."""
        return self.selected / self.num_predicted

    @property
    def recall(self) -> float:
        """Share of the rows of this true class that are selected and right."""
        return self.correct / self.num_real

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.correct / (self.selected + self.num_real)

    @property
    def published_score(self) -> float:
        """What the original prints as F1: by operator precedence 3 x precision, up to rounding."""
        share = self.selected / self.num_real
        return (2 * (share * self.precision)) / share + self.precision

    def as_dict(self) -> dict[str, float | int]:
        """Return counts and scores under the names used in reports."""
        return {
            "th": self.th,
            "selected": self.selected,
            "correct": self.correct,
            "precision": self.precision,
            "selected_over_real": self.selected / self.num_real,
            "coverage": self.coverage,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True)
class ThresholdSearch:
    """Result of a search for one class: every improvement in order; the last one is the optimum."""

    label: int
    num_real: int
    improvements: tuple[ThresholdPoint, ...]
    best_f1: ThresholdPoint | None

    @property
    def optimum(self) -> ThresholdPoint | None:
        """The published criterion's choice: the smallest threshold with the highest precision."""
        return self.improvements[-1] if self.improvements else None


def search_threshold(probs_NK: np.ndarray, truth_N: np.ndarray, label: int) -> ThresholdSearch:
    """Search the threshold of one class against known labels, as the original does.

    The thresholds 0, 0.001, ... 1 are tried in order until one selects nothing; one with a strictly greater
    published score (3 x precision) is an improvement.

    Args:
        probs_NK: float (N, K) mixed probabilities.
        truth_N: int (N,) true classes; rows with -1 and rows with a NaN are left out.
        label: the class.

    Returns:
        The improvements; none when the class is never predicted or has no labelled row.
    """
    probs_NK, truth_N = np.asarray(probs_NK, dtype=np.float64), np.asarray(truth_N)
    known_N = (truth_N >= 0) & ~np.isnan(probs_NK).any(axis=1)
    probs_NK, truth_N = probs_NK[known_N], truth_N[known_N]
    num_real = int((truth_N == label).sum())
    predicted_N = probs_NK.argmax(axis=1) == label
    peaks_P, right_P = probs_NK[predicted_N].max(axis=1), truth_N[predicted_N] == label
    improvements: list[ThresholdPoint] = []
    best_f1, best_score = None, 0.0
    for th in GRID.tolist():
        kept_P = peaks_P >= th
        selected = int(kept_P.sum())
        if selected == 0 or num_real == 0:
            break
        point = ThresholdPoint(th, selected, int(right_P[kept_P].sum()), num_real, len(peaks_P))
        if point.published_score > best_score:
            best_score = point.published_score
            improvements.append(point)
        if best_f1 is None or point.f1 > best_f1.f1:
            best_f1 = point
    return ThresholdSearch(label, num_real, tuple(improvements), best_f1)
