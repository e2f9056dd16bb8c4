"""Which clips of a pool are least like any class, by what several voters say of them and of light clips.

Legend: N clips of the pool, M light clips, K classes, V voters. A row of NaN is a video without scores.
"""

from collections.abc import Sequence

import numpy as np

from slowfast.utils.errors import InputError

# Part of the covariance that is the mean variance in every direction: light clips are few.
_SHRINKAGE = 0.1
_TINY = 1e-12


def novelty(
    pool: Sequence[np.ndarray], light: Sequence[np.ndarray], light_truth: np.ndarray, temperatures: Sequence[float] = ()
) -> np.ndarray:
    """Return how far the clips of a pool are from every class of light clips.

    Per voter the squared Mahalanobis distance of a clip's log-probabilities from the nearest class mean of the light
    clips, with one covariance for all classes (Lee et al., NeurIPS 2018, there of features), made comparable over the
    pool; then the mean of the voters. It orders clips; a share of a pool has to be known from elsewhere.

    Args:
        pool: V arrays float (N, K) of probabilities.
        light: the same voters' for light clips.
        light_truth: int (M,) their classes, -1 where unknown; classes without a clip are left out.
        temperatures: with which the logits of `pool` were divided and those of `light` were not; empty: none.

    Returns:
        float64 (N,), larger is less like any class; NaN where a voter has no scores.

    Raises:
        InputError: no light clip has a class.
    """
    known_M = light_truth >= 0
    if not known_M.any():
        raise InputError("no light clip has a class, so nothing says what the classes are like")
    scales = temperatures or [1.0] * len(pool)
    each = [
        _distances(_logits(pool_NK) * scale, _logits(light_MK[known_M]), light_truth[known_M])
        for pool_NK, light_MK, scale in zip(pool, light, scales)
    ]
    return np.mean([(far_N - np.nanmean(far_N)) / max(float(np.nanstd(far_N)), _TINY) for far_N in each], axis=0)


def _logits(probs: np.ndarray) -> np.ndarray:
    """Return log-probabilities with the mean 0 over the classes: logits but for what softmax does not see."""
    logs = np.log(np.maximum(probs, _TINY))
    return logs - logs.mean(axis=1, keepdims=True)


def _distances(pool_NK: np.ndarray, light_MK: np.ndarray, classes_M: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distance of every row from the nearest class mean, float64 (N,)."""
    means = np.stack([light_MK[classes_M == label].mean(axis=0) for label in np.unique(classes_M)])
    within_MK = light_MK - means[np.unique(classes_M, return_inverse=True)[1]]
    covariance_KK = within_MK.T @ within_MK / len(within_MK)
    spread = np.trace(covariance_KK) / len(covariance_KK)
    covariance_KK = (1 - _SHRINKAGE) * covariance_KK + _SHRINKAGE * max(spread, _TINY) * np.eye(len(covariance_KK))
    precision_KK = np.linalg.inv(covariance_KK)
    offsets = pool_NK[:, None] - means
    return np.einsum("nck,kl,ncl->nc", offsets, precision_KK, offsets).min(axis=1)
