"""Makes the scores of different models comparable without labels, and fuses them.

Legend: N videos, K classes, V voters. A row of NaN is a video without scores.
"""

from collections.abc import Sequence

import numpy as np

from slowfast.ensemble.predictions import Predictions
from slowfast.utils.errors import InputError
from slowfast.utils.scores import softmax

CALIBRATIONS = ("agreement", "standardise", "none")
_TINY = 1e-12


def clip_probabilities(predictions: Predictions) -> np.ndarray:
    """Return the probabilities of an average clip of each video.

    Sums over views are divided by their number, so that 3 x 3 views are no more confident than one. Files that
    do not say what they hold count as probabilities when no value is negative and all rows have the same sum.

    Args:
        predictions: scores of one model.

    Returns:
        float64 (N, K), rows sum to 1; NaN where a video has no scores.

    Raises:
        InputError: probabilities that are negative or all zero.
    """
    scores_NK = predictions.video_preds.astype(np.float64)
    scores_NK[predictions.missing] = np.nan
    kind = predictions.score_kind
    if kind is None:
        known_NK = scores_NK[~predictions.missing]
        sums_N = known_NK.sum(axis=1)
        looks_like_probs = len(known_NK) > 0 and known_NK.min() >= 0 and np.ptp(sums_N) < 1e-2 * sums_N.max()
        kind = "probs" if looks_like_probs else "logits"
    if kind == "probs":
        sums_N = scores_NK.sum(axis=1)
        bad = np.flatnonzero((scores_NK < 0).any(axis=1) | (sums_N == 0))
        if len(bad):
            what = "a negative number" if sums_N[bad[0]] else "zeros only"
            name = f" ({predictions.video_names[bad[0]]!r})" if predictions.video_names else ""
            raise InputError(
                f"{predictions.source} says that it holds probabilities, but row {bad[0] + 1}{name} has {what}; test"
                " the model again, with TEST.SCORE logits if these are logits"
            )
        return scores_NK / sums_N[:, None]
    return softmax(scores_NK / (predictions.num_views or 1))


def mean_confidence(log_probs_NK: np.ndarray, temperature: float) -> float:
    """Return the mean largest probability after division of the logits by `temperature`."""
    return float(softmax(log_probs_NK / temperature).max(axis=1).mean())


def temperature_for(probs_NK: np.ndarray, confidence: float) -> float:
    """Return the temperature that gives a model this mean confidence (bisection, 0.02 to 50).

    Args:
        probs_NK: float (N, K) without NaN.
        confidence: wanted mean of the largest probability.
    """
    log_probs_NK = np.log(np.maximum(probs_NK, _TINY))
    low, high = np.log(0.02), np.log(50.0)
    for _ in range(40):
        middle = (low + high) / 2
        if mean_confidence(log_probs_NK, np.exp(middle)) > confidence:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def agreement(voters: Sequence[np.ndarray]) -> np.ndarray:
    """Return, for every voter, the mean share of rows on which another voter gives the same label.

    How often two models agree estimates how often they are right (Jiang et al., "Assessing generalization via
    disagreement", ICLR 2022), with no label needed.

    Args:
        voters: V arrays float (N, K) without NaN, V at least 2.

    Returns:
        float64 (V,).
    """
    labels_VN = np.stack([probs_NK.argmax(axis=1) for probs_NK in voters])
    same_VV = (labels_VN[:, None] == labels_VN[None]).mean(axis=2)
    return (same_VV.sum(axis=1) - 1.0) / (len(voters) - 1)


def calibrate(voters: Sequence[np.ndarray], method: str = "agreement") -> tuple[list[np.ndarray], list[float]]:
    """Return the voters' probabilities on a common scale, and the temperature used for each.

    Args:
        voters: V arrays float (N, K); rows that any voter lacks do not enter the estimate.
        method: `agreement` (mean confidence of a voter = its mean agreement with the others), `standardise`
            (log probabilities of all voters get the spread of an average voter) or `none`. A single voter is
            left as it is.
    """
    voters = [np.asarray(probs_NK, dtype=np.float64) for probs_NK in voters]
    whole_N = ~np.any([np.isnan(probs_NK).any(axis=1) for probs_NK in voters], axis=0)
    if method == "none" or len(voters) < 2 or not whole_N.any():
        return voters, [1.0] * len(voters)
    known = [probs_NK[whole_N] for probs_NK in voters]
    if method == "agreement":
        wanted = np.minimum(agreement(known), 1.0 - 1.0 / (len(known[0]) + 1))
        temperatures = [temperature_for(*pair) for pair in zip(known, wanted.tolist())]
    else:
        logs = [np.log(np.maximum(probs_NK, _TINY)) for probs_NK in known]
        spreads = [float((log_NK - log_NK.mean(axis=1, keepdims=True)).std()) for log_NK in logs]
        temperatures = [max(spread, 1e-6) / float(np.mean(spreads)) for spread in spreads]
    scaled = [
        softmax(np.log(np.maximum(probs_NK, _TINY)) / temperature)
        for probs_NK, temperature in zip(voters, temperatures)
    ]
    return scaled, temperatures
