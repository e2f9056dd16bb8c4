"""The submission's vote: a weighted mix of five models, corrections, and a majority over modes.

Legend: N videos, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from slowfast.ensemble.agreement import trust
from slowfast.ensemble.fuse import VoteWeights, weighted_mix
from slowfast.ensemble.rules import Mode, apply_passes
from slowfast.utils.scores import softmax


def run_mode(scores: Mapping[str, np.ndarray], mode: Mode) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and mixed probabilities of one mode.

    Args:
        scores: float32 (N, K) by model, as their prediction files hold them; a softmax is applied to all of them,
            also to those that hold probabilities, as the published vote does.
        mode: the rules.

    Returns:
        int64 (N,) labels after the corrections and float32 (N, K) mixed rows.
    """
    probs = {model: softmax(scores_NK) for model, scores_NK in scores.items()}
    mixed_NK = weighted_mix(probs, mode.weights)
    replaced_N = np.isin(mixed_NK.argmax(axis=1), mode.override_labels)
    mixed_NK[replaced_N] = probs[mode.override_model][replaced_N]
    return apply_passes(mixed_NK.argmax(axis=1), mixed_NK, mode.passes), mixed_NK


def trusted_weights(scores: Mapping[str, np.ndarray], weights: VoteWeights) -> VoteWeights:
    """Return the given weights times the trust that each voter deserves (`agreement.trust`), with the same sum.

    Args:
        scores: (N, K) by model; the softmax makes probabilities of them.
        weights: as the rules give them.
    """
    models = list(weights.usual)
    raw_V = trust([softmax(scores[model]) for model in models]) * np.array([weights.usual[model] for model in models])
    return replace(weights, usual=dict(zip(models, (raw_V / raw_V.sum() * sum(weights.usual.values())).tolist())))


def majority_vote(labels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the label most voters give (on a tie the smallest class) and the first voter that gives it.

    Args:
        labels: int (N,) per voter.

    Returns:
        int64 (N,) labels and int64 (N,) positions in `labels`.
    """
    votes_VN = np.stack([np.asarray(labels_N, dtype=np.int64) for labels_N in labels])
    counts_NK = (votes_VN[:, :, None] == np.arange(votes_VN.max() + 1)).sum(axis=0)
    winner_N = counts_NK.argmax(axis=1)
    return winner_N, (votes_VN == winner_N).argmax(axis=0)
