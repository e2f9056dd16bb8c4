"""How far voters are to be trusted, from their agreement alone: one that the dark made collapse agrees with nobody.

Legend: N videos, K classes, V voters. A row of NaN is a video without scores.
"""

from collections.abc import Sequence

import numpy as np


def _same_and_chance(voters: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return how often voters agree pair by pair (V, V), how often their class shares alone would, and on how many."""
    whole_N = ~np.any([np.isnan(probs_NK).any(axis=1) for probs_NK in voters], axis=0)
    labels_VN = np.stack([probs_NK[whole_N].argmax(axis=1) for probs_NK in voters])
    shares_VK = (labels_VN[:, :, None] == np.arange(voters[0].shape[1])).mean(axis=1)
    return (labels_VN[:, None] == labels_VN[None]).mean(axis=2), shares_VK @ shares_VK.T, int(whole_N.sum())


def kappa(voters: Sequence[np.ndarray]) -> np.ndarray:
    """Return how much more than chance voters agree, pair by pair (Cohen, 1960).

    Args:
        voters: V arrays float (N, K); rows that any of them lacks do not count.

    Returns:
        float64 (V, V): 1 for equal labels, 0 for the agreement that their class shares alone give.
    """
    same_VV, chance_VV, _ = _same_and_chance(voters)
    return (same_VV - chance_VV) / np.maximum(1.0 - chance_VV, 1e-9)


def standard_error(voters: Sequence[np.ndarray]) -> float:
    """Return the standard error of the mean agreement beyond chance, each voter taken as one independent witness."""
    same_VV, chance_VV, rows = _same_and_chance(voters)
    pairs = ~np.eye(len(voters), dtype=bool)
    same, chance = float(same_VV[pairs].mean()), float(chance_VV[pairs].mean())
    return float(np.sqrt(same * (1.0 - same) / rows / (len(voters) - 1)) / max(1.0 - chance, 1e-9))


def agreement_of_each(voters: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean agreement of every voter with the others beyond chance, float64 (V,)."""
    kappa_VV = kappa(voters)
    return (kappa_VV.sum(axis=1) - np.diag(kappa_VV)) / (len(voters) - 1)


def trust(voters: Sequence[np.ndarray]) -> np.ndarray:
    """Return weights, float64 (V,) with the sum 1: the square of each voter's agreement with the others beyond chance.

    All weigh the same where nobody agrees with anybody, and where fewer than three could say who errs.
    """
    if len(voters) > 2:
        agreement_V = np.maximum(agreement_of_each(voters), 0.0) ** 2
        if agreement_V.sum() > 0:
            return agreement_V / agreement_V.sum()
    return np.full(len(voters), 1.0 / len(voters))


def relative(weights: Sequence[float]) -> list[float]:
    """Return weights with the mean 1, so that equal ones change nothing."""
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def weighted_trust(voters: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Return `trust` times given weights, float64 (V,) with the sum 1."""
    trust_V = trust(voters)
    if weights is None or len(set(weights)) == 1:
        return trust_V  # as it is, to the last digit
    weighted_V = trust_V * np.asarray(weights, dtype=np.float64)
    return weighted_V / weighted_V.sum()


def trusted_mean(voters: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Return the mean of the voters' probabilities weighted by `trust`, float64 (N, K); NaN where a voter has none.

    Args:
        voters: V arrays float (N, K).
        weights: V numbers above 0 that the trust is multiplied by; None: equal ones.
    """
    return np.tensordot(weighted_trust(voters, weights), np.stack(voters), axes=1)


def most_agreeing(alternatives: Sequence[Sequence[np.ndarray]]) -> list[int]:
    """Return which of its alternatives every voter is taken with: the one that agrees most with the other voters.

    Args:
        alternatives: for every voter one or more arrays float (N, K) of the same videos: tested with another gamma,
            or adapted in another way.
    """
    flat = [probs_NK for choices in alternatives for probs_NK in choices]
    owner_M = np.repeat(np.arange(len(alternatives)), [len(choices) for choices in alternatives])
    others_MM = owner_M[:, None] != owner_M[None]
    mean_M = (kappa(flat) * others_MM).sum(axis=1) / np.maximum(others_MM.sum(axis=1), 1)
    return [int(mean_M[owner_M == voter].argmax()) for voter in range(len(alternatives))]
