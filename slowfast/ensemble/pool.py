"""Builds the pool that label-free rules rank, from prediction files and from tables of earlier rounds.

Legend: N videos, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from slowfast.ensemble.agreement import relative, trusted_mean
from slowfast.ensemble.calibration import calibrate, clip_probabilities
from slowfast.ensemble.fuse import join_voters
from slowfast.ensemble.predictions import Predictions
from slowfast.lists.names import check_unique, video_key
from slowfast.lists.tables import LabelTable
from slowfast.utils.errors import InputError


@dataclass
class Pool:
    """What a label-free rule works on.

    Attributes:
        names: N video names.
        newest: float64 (N, K), rows sum to 1; NaN where a video has no scores.
        witnesses: float64 (N, K) each: tables of earlier rounds, then single voters; NaN where a row is missing.
        temperatures: temperature of every voter; empty for tables.
        voters: float64 (N, K) each, the calibrated voters of this round; empty for tables.
        weights: of the voters, with the mean 1; empty for tables.
    """

    names: list[str]
    newest: np.ndarray
    witnesses: list[np.ndarray]
    temperatures: list[float] = field(default_factory=list)
    voters: list[np.ndarray] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    @property
    def witness_weights(self) -> list[float]:
        """What the witnesses count: 1 for a table, their weight for voters."""
        voters = self.weights if len(self.voters) > 1 else []
        return [1.0] * (len(self.witnesses) - len(voters)) + voters


def table_rows(table: LabelTable, names: Sequence[str]) -> np.ndarray:
    """Return a table's probabilities in the order of `names`, rows divided by their sum.

    Args:
        table: a pseudo-label table; names outside `names` are left out.
        names: N video names.

    Returns:
        float64 (N, K); NaN where the table has no such row.

    Raises:
        InputError: a name stands twice in the table, none of its names is in `names`, or a row has a negative
            probability or the sum 0.
    """
    check_unique(table.names, table.source)
    row_of = {video_key(name): row for row, name in enumerate(table.names)}
    found = np.array([row_of.get(video_key(name), -1) for name in names])
    if (found < 0).all():
        raise InputError(f"{table.source} has none of the videos of the pool; give tables of the same videos")
    sums = table.probs.sum(axis=1)
    bad = np.flatnonzero((table.probs < 0).any(axis=1) | (sums <= 0) | np.isinf(sums))
    if len(bad):
        raise InputError(
            f"{table.source}, row {bad[0] + 1} ({table.names[bad[0]]!r}) does not hold probabilities; make the table"
            " again"
        )
    rows_NK = np.full((len(names), table.probs.shape[1]), np.nan)
    rows_NK[found >= 0] = (table.probs / sums[:, None])[found[found >= 0]]
    return rows_NK


def _same_classes(sources: Sequence[tuple[str, int]]) -> None:
    for source, classes in sources:
        if classes != sources[0][1]:
            raise InputError(
                f"{source} has {classes} classes but {sources[0][0]} has {sources[0][1]}; give files with the same"
                " classes"
            )


def build_pool(
    voters: Sequence[Predictions] = (),
    tables: Sequence[LabelTable] = (),
    names: Sequence[str] | None = None,
    calibration: str = "agreement",
    list_source: str = "the list",
    weights: Sequence[float] | None = None,
) -> Pool:
    """Return the pool of some voters of this round and tables of earlier rounds.

    Args:
        voters: predictions of this round; their calibrated, weighted mean is the newest evidence, each is a witness.
        tables: tables of earlier rounds, oldest first; without voters the last one is the newest evidence.
        names: the pool's videos; by default those of the first voter, else of the newest table.
        calibration: how voters are made comparable; see `calibration.calibrate`.
        list_source: where `names` come from, for messages.
        weights: of the voters, above 0; None: equal ones.

    Raises:
        InputError: nothing is given, names are unknown, stand twice or do not fit, or class counts differ.
    """
    if not voters and not tables:
        raise InputError("no predictions and no tables given; pass --predictions or --tables")
    if names is None:
        source = voters[0].source if voters else tables[-1].source
        names = voters[0].video_names if voters else tables[-1].names
        if names is None:
            raise InputError(f"{source} has no video names; pass the list it was made from with --list")
        list_source = source
    check_unique(names, list_source)
    _same_classes([(v.source, v.num_classes) for v in voters] + [(t.source, t.probs.shape[1]) for t in tables])
    rounds = [table_rows(table, names) for table in tables]
    if not voters:
        return Pool(list(names), rounds[-1], rounds[:-1])
    joined = join_voters(dict(enumerate(voters)), names, list_source)
    scaled, temperatures = calibrate([clip_probabilities(voter) for voter in joined.values()], calibration)
    shares = relative(weights or [1.0] * len(scaled))
    witnesses = rounds + (scaled if len(scaled) > 1 else [])
    return Pool(list(names), trusted_mean(scaled, shares), witnesses, temperatures, scaled, shares)
