"""How many labels of a dark pool are right, and how far a voter is to be trusted there, without one label of it.

Voters that agree more than chance on clips of the pool know something about them; how much that is worth is measured
on light clips that nothing was trained on, whose classes are known. `docs/pseudo_labels.md` holds the figures.

Legend: N videos, K classes, V voters. A row of NaN is a video without scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slowfast.ensemble.agreement import agreement_of_each, standard_error, trusted_mean
from slowfast.ensemble.calibration import calibrate
from slowfast.ensemble.label_free import Ranking, precision_at, rank_pool

# A round is trained when at least this share of its labels is estimated to be right.
WORTH_TRAINING = 0.6


@dataclass
class Estimate:
    """What light clips say about labels of a pool.

    Attributes:
        agreement_pool: mean agreement of the voters beyond chance on the pool.
        agreement_light: the same on the light clips.
        agreement_voters: of every voter on the pool, float64 (V,).
        transfer: share of the pool's clips that the voters know, by their agreement, 0 to 1.
        light: the light clips ranked as the pool is.
        light_truth: int64 (N,), their classes.
        classes: K.
    """

    agreement_pool: float
    agreement_light: float
    agreement_voters: np.ndarray
    transfer: float
    light: Ranking
    light_truth: np.ndarray
    classes: int

    def precision(self, coverage: float) -> float:
        """Return the estimated share of right labels among this share of the pool, best first.

        The precision of the light clips at the same coverage, of which the part above chance is scaled by `transfer`.
        A right label more or less hardly counts: one wrong one is added to the light clips.
        """
        count = max(1, round(coverage * len(self.light_truth)))
        right = precision_at(self.light, self.light_truth, coverage)
        chance = 1.0 / self.classes
        return chance + max(0.0, right * count / (count + 1) - chance) * self.transfer

    def coverage(self, largest: float, least: float = WORTH_TRAINING) -> float:
        """Return the largest share of the pool, up to `largest`, whose labels are estimated to be right that often."""
        steps = [share for share in np.arange(1.0, 0.0, -0.05).round(2) if share <= largest] or [largest]
        return float(next((share for share in [largest, *steps] if self.precision(share) >= least), 0.0))


def estimate(
    pool: Sequence[np.ndarray],
    light: Sequence[np.ndarray],
    light_truth: np.ndarray,
    *,
    rule: str,
    bound: float = 1.0,
    weights: Sequence[float] | None = None,
) -> Estimate:
    """Return what the voters' agreement on a pool is worth, judged by light clips of known classes.

    Args:
        pool: V arrays float (N, K) of the pool, V at least 2.
        light: the same voters' for light clips that nothing was trained on, with statistics of light clips.
        light_truth: int (N,) their classes, -1 where unknown.
        rule: of the ranking.
        bound: transfer is at most this: that of an earlier round, since voters that were trained on common labels
            agree for that reason too.
        weights: of the voters in mean and ranking; None: equal ones.
    """
    known_N = light_truth >= 0
    light = [probs_NK[known_N] for probs_NK in light]
    scaled, _ = calibrate(light)
    each_V, light_V = agreement_of_each(pool), agreement_of_each(light)
    # Voters who know a share of the clips and err apart on the others agree beyond chance on the square of that share.
    known = max(0.0, float(each_V.mean()) - standard_error(pool)) ** 0.5
    return Estimate(
        agreement_pool=float(each_V.mean()),
        agreement_light=float(light_V.mean()),
        agreement_voters=each_V,
        transfer=min(1.0, bound, known),
        light=rank_pool(trusted_mean(scaled, weights), scaled, rule, weights=weights),
        light_truth=light_truth[known_N],
        classes=pool[0].shape[1],
    )
