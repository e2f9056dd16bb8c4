"""Which clip a person sees next, and what the decisions say about the table. Legend: N clips, K classes.

Every second clip is the most useful one (voters disagree, then the least certain, class by class in turn), every other
one is drawn at random. Decisions on the most useful clips alone would make a table look worse than it is, so the
estimate takes them as a stratum of its own, known as a whole, and the rest of the table from the random ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slowfast.apps.review.journal import Decision
from slowfast.ensemble.label_free import signed_margin
from slowfast.lists.tables import LabelTable

_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Estimate:
    """Precision of a table from decisions, with its 95 % interval."""

    precision: float  # NaN while nothing is known
    low: float
    high: float
    reviewed: int  # clips that were looked at because they are useful, each counted as it is
    sampled: int  # clips drawn at random from all the others


def useful_order(table: LabelTable, votes_VN: np.ndarray | None = None) -> np.ndarray:
    """Return all rows, most useful first: the classes take turns, in each the disputed and least certain rows first.

    `votes_VN` are the labels of voters or other tables, -1 unknown.
    """
    against_N = np.zeros(len(table.names))
    if votes_VN is not None and len(votes_VN):
        against_N = ((votes_VN != table.labels) & (votes_VN >= 0)).mean(axis=0)
    order = np.lexsort((signed_margin(table.probs, table.labels), -against_N))
    turn_N = np.empty(len(order), np.int64)
    for label in np.unique(table.labels):
        rows = order[table.labels[order] == label]
        turn_N[rows] = np.arange(len(rows))
    return order[np.argsort(turn_N[order], kind="stable")]


def random_order(table: LabelTable) -> np.ndarray:
    """Return all rows in a random order that is the same at every start."""
    return np.random.default_rng(len(table.names)).permutation(len(table.names))


def estimate(
    labels_N: np.ndarray, useful_N: np.ndarray, random_N: np.ndarray, decided: Mapping[int, Decision]
) -> Estimate:
    """Return the precision of a table from what was decided; a corrected or rejected label was wrong.

    The first stratum is the longest beginning of the useful order without a gap, the sample the longest beginning of
    the random order without one, less the first stratum. The interval is Wilson's (1927) with the finite population's
    number of clips. `decided` goes by row.
    """
    known_N, right_N = np.zeros((2, len(labels_N)), bool)
    for row, state in decided.items():
        known_N[row], right_N[row] = True, state.label == labels_N[row]
    first = useful_N[: _whole(known_N[useful_N])]
    in_first_N = np.zeros(len(labels_N), bool)
    in_first_N[first] = True
    drawn = random_N[: _whole(known_N[random_N])]
    drawn = drawn[~in_first_N[drawn]]
    rest = len(labels_N) - len(first)
    middle, low, high = _wilson(int(right_N[drawn].sum()), len(drawn), rest)
    certain = int(right_N[first].sum())
    if rest and not len(drawn):
        return Estimate(math.nan, certain / len(labels_N), (certain + rest) / len(labels_N), len(first), 0)
    ends = [(certain + rest * share) / len(labels_N) for share in (middle, low, high)]
    return Estimate(*ends, len(first), len(drawn))


def _whole(known_N: np.ndarray) -> int:
    """Return how many come before the first gap."""
    gaps = np.flatnonzero(~known_N)
    return int(gaps[0]) if len(gaps) else len(known_N)


def _wilson(right: int, count: int, population: int) -> tuple[float, float, float]:
    """Return share and 95 % interval of a sample without replacement."""
    if not count:
        return 0.0, 0.0, 1.0
    share = right / count
    if count >= population:
        return share, share, share
    size = count * (population - 1) / (population - count)
    middle = (share + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    half = _Z / (1 + _Z**2 / size) * math.sqrt(share * (1 - share) / size + _Z**2 / (4 * size**2))
    return share, max(middle - half, 0.0), min(middle + half, 1.0)


def next_rows(
    useful_N: Sequence[int], random_N: Sequence[int], taken: np.ndarray, decisions: int, count: int
) -> list[int]:
    """Return the next rows, `count` at most: by turns from the useful and from the random order, none that is taken.

    After an even number of decisions a useful row comes first.
    """
    queues = [iter(useful_N), iter(random_N)]
    found: list[int] = []
    for turn in range(decisions, decisions + count):
        row = next((int(row) for row in queues[turn % 2] if not taken[row] and int(row) not in found), None)
        if row is None:
            break
        found.append(row)
    return found
