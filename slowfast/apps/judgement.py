"""Before a round: are its pseudo-labels worth training on? No dark label is read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.apps.stages import shown
from slowfast.ensemble.calibration import clip_probabilities
from slowfast.ensemble.estimate import WORTH_TRAINING, Estimate, estimate
from slowfast.ensemble.fuse import join_voters
from slowfast.ensemble.pool import Pool
from slowfast.ensemble.predictions import load_predictions
from slowfast.lists.names import video_key
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError

# Light clips without which nothing is estimated.
_FEWEST = 20


class NotHeldOut(Exception):
    """Light clips that say nothing about a pool; the text says why."""


@dataclass(frozen=True)
class Judgement:
    """What is selected, and what is said about it.

    Attributes:
        coverage: share of the pool; None: the rule's.
        verdict: a sentence.
        record: entries of the table's JSON.
    """

    coverage: float | None
    verdict: str
    record: dict[str, Any]


def judge(
    pool: Pool,
    *,
    rule: str,
    coverage: float | None,
    at_most: float | None = None,
    light: Sequence[Path] = (),
    trained: Sequence[Path] = (),
    tables: Sequence[Path] = (),
    force: bool = False,
) -> Judgement:
    """Estimate the precision of a round's labels and decide how many are kept, and whether they are trained on.

    Args:
        pool: with the voters of this round.
        rule: of the ranking.
        coverage: share to keep whatever the estimate says; None: `at_most` or the rule decides.
        at_most: the largest share; the estimate may lower it.
        light: one file for each voter of the pool, of labelled light clips.
        trained: list of the clips that were trained on; light clips that are these say nothing.
        tables: of earlier rounds, whose estimates bound this one.
        force: train whatever the estimate says.
    """
    found, why = _estimate(pool, rule, light, trained, tables)
    share = coverage if coverage is not None else at_most
    if found is None:
        return Judgement(share, f"precision is not estimated: {why}", {"estimated_precision": None, "verdict": why})
    kept = found.coverage(share or 1.0) if coverage is None else share
    worth, share = found.precision(kept or share or 1.0) >= WORTH_TRAINING, kept or share
    precision = found.precision(share or 1.0)
    verdict = (
        f"about {100 * precision:.0f} % of these labels are right (the voters' agreement beyond chance is"
        f" {found.agreement_pool:.2f} on the pool, {found.agreement_light:.2f} on {len(found.light_truth)} light clips)"
    )
    verdict += "" if worth else f", below {100 * WORTH_TRAINING:.0f} %: not worth training on"
    verdict += " (trained all the same: --force)" if force and not worth else ""
    record = {
        "estimated_precision": round(precision, 4),
        "worth_training": bool(worth or force),
        "verdict": verdict,
        "estimate": {
            "transfer": round(found.transfer, 4),
            "agreement_pool": round(found.agreement_pool, 4),
            "agreement_light": round(found.agreement_light, 4),
            "agreement_voters": found.agreement_voters.round(4).tolist(),
            "light_clips": len(found.light_truth),
        },
    }
    return Judgement(share, verdict, record)


def held_out_light(pool: Pool, light: Sequence[Path], trained: Sequence[Path]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the voters' probabilities (N, K) each and the classes (N,), -1 unknown, of light clips held out.

    Raises:
        InputError: their number is not that of the voters.
        NotHeldOut: they say nothing about the pool, with the reason.
    """
    if not light:
        raise NotHeldOut("no predictions of held-out light clips are given (--light)")
    if len(light) != len(pool.voters):
        raise InputError(
            f"--light has {len(light)} files for {len(pool.voters)} voters; give one of each voter, in the same order"
        )
    loaded = [load_predictions(path) for path in light]
    names = loaded[0].video_names or [str(row) for row in range(len(loaded[0].video_preds))]
    joined = list(join_voters(dict(enumerate(loaded)), names, shown(light[0])).values())
    truth_N = joined[0].video_labels
    if int((truth_N >= 0).sum()) < _FEWEST and (truth_N >= 0).any():
        raise NotHeldOut(f"{int((truth_N >= 0).sum())} held-out light clips are too few ({_FEWEST})")
    if trained and {*map(video_key, names)} == {*map(video_key, read_names(trained[0])[0])}:
        raise NotHeldOut("no light clips are held out, those that were trained on say nothing")
    if not (truth_N >= 0).any():
        raise NotHeldOut(f"the light clips of {shown(light[0])} have no labels")
    known_N = ~np.any([voter.missing for voter in joined], axis=0)
    return [clip_probabilities(voter)[known_N] for voter in joined], truth_N[known_N]


def _estimate(
    pool: Pool, rule: str, light: Sequence[Path], trained: Sequence[Path], tables: Sequence[Path]
) -> tuple[Estimate | None, str]:
    """Return the estimate, or why there is none."""
    if light and len(light) == len(pool.voters) == 1:
        return None, "a single voter agrees with nobody"
    try:
        probs, truth_N = held_out_light(pool, light, trained)
    except NotHeldOut as reason:
        return None, str(reason)
    bound = min([1.0, *(transfer for path in tables if (transfer := _transfer(path)) is not None)])
    return estimate(pool.voters, probs, truth_N, rule=rule, bound=bound, weights=pool.weights), ""


def _transfer(table: Path) -> float | None:
    """Return what the record of an earlier table says about the transfer, if it says it."""
    try:
        return float(json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))["estimate"]["transfer"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
