"""Puts the predictions of several models side by side and mixes their probabilities.

Legend: N videos, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from slowfast.ensemble.predictions import Predictions
from slowfast.lists.names import check_unique, video_key
from slowfast.utils.errors import InputError


@dataclass
class VoteWeights:
    """Weights of a vote; rows that one trusted voter gives certain labels use another set.

    Attributes:
        usual: weight of every voter, in the order of the sum.
        anchored: weights where the anchor's largest score is one of `anchor_labels`; voters left out do not count.
        anchor: the trusted voter.
        anchor_labels: classes.
    """

    usual: Mapping[str, float]
    anchored: Mapping[str, float] = field(default_factory=dict)
    anchor: str = ""
    anchor_labels: Sequence[int] = ()


def _rows_of_list(predictions: Predictions, names: Sequence[str], list_source: str) -> np.ndarray:
    source, rows = predictions.source, len(predictions.video_preds)
    if predictions.video_names is None:
        if rows != len(names):
            raise InputError(
                f"{source} has {rows} rows and no names, but {list_source} has {len(names)} rows;"
                " give the list the predictions were made from"
            )
        return np.arange(rows)
    check_unique(predictions.video_names, source)
    row_of = {video_key(name): row for row, name in enumerate(predictions.video_names)}
    absent = [name for name in names if video_key(name) not in row_of]
    listed = set(map(video_key, names))
    extra = [name for name in predictions.video_names if video_key(name) not in listed]
    if absent or extra:
        which = f"lacks {absent[0]!r}" if absent else f"has {extra[0]!r}, which is not in the list"
        raise InputError(
            f"{source} does not belong to {list_source}: it {which}"
            f" ({len(absent)} names missing, {len(extra)} too many); test the model on that list again"
        )
    return np.array([row_of[video_key(name)] for name in names])


def _check_classes(voters: Mapping[str, Predictions]) -> None:
    first = next(iter(voters.values()))
    for other in voters.values():
        if other.num_classes != first.num_classes:
            raise InputError(
                f"{other.source} has {other.num_classes} classes but {first.source} has {first.num_classes};"
                " vote only over models with the same classes"
            )
    named = [voter for voter in voters.values() if voter.class_names is not None]
    for other in named[1:]:
        if other.class_names != named[0].class_names:
            raise InputError(
                f"{other.source} names its classes {', '.join(other.class_names)} but {named[0].source}"
                f" {', '.join(named[0].class_names)}; vote only over models with the same classes in the same order"
            )


def join_voters(
    voters: Mapping[str, Predictions], names: Sequence[str], list_source: str = "the list"
) -> dict[str, Predictions]:
    """Return every voter's predictions with rows in the order of `names`.

    Rows are joined by name where a voter has names, by row otherwise.

    Args:
        voters: predictions by voter.
        names: N video names.
        list_source: where the names come from, for messages.

    Raises:
        InputError: lengths, names or classes do not agree, or a name stands twice.
    """
    _check_classes(voters)
    check_unique(names, list_source)
    joined = {}
    for voter, predictions in voters.items():
        rows_N = _rows_of_list(predictions, names, list_source)
        joined[voter] = Predictions(
            predictions.video_preds[rows_N],
            predictions.video_labels[rows_N],
            video_names=list(names),
            score_kind=predictions.score_kind,
            num_views=predictions.num_views,
            class_names=predictions.class_names,
            failed=predictions.failed,
            source=predictions.source,
            made_of=predictions.made_of,
        )
    return joined


def unexpected_kinds(voters: Mapping[str, Predictions], expected: Mapping[str, str]) -> list[str]:
    """Return a sentence for every voter whose kind of score differs from what a vote was tuned for."""
    return [
        f"{predictions.source} holds {predictions.score_kind}, but the published vote was tuned for {expected[voter]}"
        f" of {voter} (TEST.SCORE {expected[voter]})"
        for voter, predictions in voters.items()
        if predictions.score_kind not in (None, expected[voter])
    ]


def weighted_mix(probs: Mapping[str, np.ndarray], weights: VoteWeights) -> np.ndarray:
    """Return the weighted sum of the voters' probabilities, as the original does it.

    Sums run left to right in float32; weights need not add up to 1.

    Args:
        probs: float32 (N, K) by voter.
        weights: the weights; see `VoteWeights`.

    Returns:
        float32 (N, K).
    """

    def total(part: Mapping[str, float]) -> np.ndarray:
        mixed_NK = None
        for voter, weight in part.items():
            term_NK = probs[voter].astype(np.float32) * np.float32(weight)
            mixed_NK = term_NK if mixed_NK is None else mixed_NK + term_NK
        return mixed_NK

    mixed_NK = total(weights.usual)
    if weights.anchor_labels:
        anchored_N = np.isin(probs[weights.anchor].argmax(axis=1), list(weights.anchor_labels))
        mixed_NK[anchored_N] = total(weights.anchored)[anchored_N]
    return mixed_NK
