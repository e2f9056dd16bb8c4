"""Label-free selection of pseudo-labels: a pool from files, a table with its record, and measured precision.

Legend: N videos, K classes.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from slowfast.apps.judgement import NotHeldOut, held_out_light, judge
from slowfast.apps.stages import shown
from slowfast.apps.thresholds import truth_of
from slowfast.ensemble.label_free import DEFAULT_RULE, Ranking, choose, fix_rows, precision_at, rank_pool
from slowfast.ensemble.novelty import novelty
from slowfast.ensemble.pool import Pool, build_pool
from slowfast.ensemble.predictions import load_predictions
from slowfast.ensemble.provenance import check_voters, made_of_vote
from slowfast.lists.names import check_unique, video_key
from slowfast.lists.tables import read_names, read_table, write_table
from slowfast.parents import write_record
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of, write_json


@dataclass(frozen=True)
class Sources:
    """Files that a pool is made of.

    Attributes:
        predictions: one PKL for each voter.
        tables: pseudo-label tables, oldest first.
        list: the pool; empty: the videos of the newest input.
        separator: of list and tables; None: found.
        calibration: of voters.
        light: one PKL for each voter, of light clips with labels that nothing was trained on.
        trained: list of the labelled clips that were trained on.
        mixed: voters of different rounds, lists, clips or gamma are taken.
        voters: names of the voters, in the order of `predictions`; empty: they have none.
        weights: of the voters, in the same order; empty: equal ones.
    """

    predictions: Sequence[Path] = ()
    tables: Sequence[Path] = ()
    list: Sequence[Path] = ()
    separator: str | None = None
    calibration: str = "agreement"
    light: Sequence[Path] = ()
    trained: Sequence[Path] = ()
    mixed: bool = False
    voters: Sequence[str] = ()
    weights: Sequence[float] = ()

    def files(self) -> dict[str, Path]:
        """Return role -> file."""
        roles = [f"voter {name}" for name in self.voters] or [
            f"predictions {number}" for number in range(1, len(self.predictions) + 1)
        ]
        voters = dict(zip(roles, self.predictions))
        tables = {f"table {number}": path for number, path in enumerate(self.tables, 1)}
        light = {f"light {number}": path for number, path in enumerate(self.light, 1)}
        return voters | tables | light | dict(zip(["list"], self.list)) | dict(zip(["list trained"], self.trained))


@dataclass(frozen=True)
class Wish:
    """What is to be selected.

    Attributes:
        rule: a name of `label_free.RULES`.
        coverage: share of the pool; None: the rule's.
        shares: class shares that aligning rules aim at; None: equal ones.
        sort: the most confident rows first, not in list order.
        fixed: rows `name,label` of a person, label -1: never use.
        at_most: share of the pool up to which the estimate of precision decides; None: `coverage` or the rule does.
        force: train whatever the estimate says.
        unknown: share of the pool that is left out since it is least like any class of the light clips.
    """

    rule: str = DEFAULT_RULE
    coverage: float | None = None
    shares: Sequence[float] | None = None
    sort: bool = False
    fixed: Sequence[Path] = field(default=())
    at_most: float | None = None
    force: bool = False
    unknown: float = 0.0


def read_pool(sources: Sources) -> Pool:
    """Read all inputs and put them side by side."""
    voters = [load_predictions(path) for path in sources.predictions]
    check_voters(voters, mixed=sources.mixed)
    check_voters([load_predictions(path) for path in sources.light], mixed=sources.mixed)
    return build_pool(
        voters,
        [read_table(path, sources.separator) for path in sources.tables],
        read_names(sources.list[0], sources.separator)[0] if sources.list else None,
        sources.calibration,
        shown(sources.list[0]) if sources.list else "the list",
        sources.weights,
    )


def read_fixed(path: Path, pool: Pool, separator: str | None = None) -> np.ndarray:
    """Return a person's labels for the pool, int64 (N,): a class, -1 never to be used, -2 not looked at.

    Raises:
        InputError: the file names no video of the pool, one twice, or a class that does not exist.
    """
    names, labels = read_names(path, separator, labelled=True)
    check_unique(names, shown(path))
    wrong = np.flatnonzero((labels < -1) | (labels >= pool.newest.shape[1]))
    if len(wrong):
        raise InputError(
            f"{shown(path)}: {names[wrong[0]]!r} has the label {labels[wrong[0]]}, 0 to {pool.newest.shape[1] - 1} or"
            " -1 (never use) is needed"
        )
    label_of = dict(zip(map(video_key, names), labels.tolist()))
    labels_N = np.array([label_of.get(video_key(name), -2) for name in pool.names], np.int64)
    found = int((labels_N > -2).sum())
    if not found:
        raise InputError(f"{shown(path)} names none of the videos of the pool; give corrections of the same videos")
    if found < len(names):
        _say(f"warning: {len(names) - found} of {len(names)} rows of {shown(path)} name no video of the pool")
    return labels_N


def select(sources: Sources, wish: Wish, output: Path) -> None:
    """Rank the pool, select, write the table and beside it what it was made from."""
    pool = read_pool(sources)
    classes = pool.newest.shape[1]
    if wish.shares is not None and len(wish.shares) != classes:
        raise InputError(f"--shares has {len(wish.shares)} numbers, but there are {classes} classes; give one for each")
    inputs = {"predictions": sources.predictions, "tables": sources.tables, "list": sources.list}
    inputs |= {"fixed": wish.fixed} if wish.fixed else {}
    inputs |= {"light": sources.light} if sources.light else {}
    # Before anything is written, because the output may take the place of an input.
    parents = {
        kind: [{"path": shown(path), "sha256": sha256_of(path)} for path in paths] for kind, paths in inputs.items()
    }
    judged = judge(
        pool,
        rule=wish.rule,
        coverage=wish.coverage,
        at_most=wish.at_most,
        light=sources.light,
        trained=sources.trained,
        tables=sources.tables,
        force=wish.force,
    )
    wish = replace(wish, coverage=judged.coverage)
    files = sources.files() | dict(zip(["fixed"], wish.fixed))
    made_of = made_of_vote("table", files, _settings(sources, wish))
    ranking = rank_pool(pool.newest, pool.witnesses, wish.rule, wish.shares, pool.witness_weights)
    missing = np.flatnonzero(~np.isfinite(ranking.score))
    left_out = _leave_out(ranking, pool, sources, wish.unknown)
    rows, fixed = _chosen(ranking, pool, wish, sources.separator)
    _tell(ranking, pool, rows, missing)
    if not wish.sort:
        rows = np.sort(rows)
    write_table(output, [pool.names[row] for row in rows], ranking.labels[rows], ranking.probs[rows])
    record = {
        "rule": wish.rule,
        "coverage": wish.coverage,
        "shares": wish.shares,
        "inputs": parents,
        "calibration": sources.calibration if sources.predictions else None,
        "temperatures": pool.temperatures,
        **_weights(sources),
        "unaligned": ranking.unaligned,
        **fixed,
        **judged.record,
        "pool": len(pool.names),
        "kept": len(rows),
        "kept_per_class": np.bincount(ranking.labels[rows], minlength=classes).tolist(),
        "without_scores": len(missing),
        **left_out,
        "output": {"path": shown(output), "sha256": sha256_of(output)},
    }
    write_json(output.with_suffix(".json"), record)
    write_record(output, made_of, files)
    print(f"{wish.rule}: kept {len(rows)} of {len(pool.names)} rows, written to {shown(output)}")
    print(judged.verdict)


def _settings(sources: Sources, wish: Wish) -> dict[str, object]:
    """Return what a table depends on besides its files."""
    wished = {name: value for name, value in vars(wish).items() if name != "fixed" and (name != "unknown" or value)}
    return {**wished, **_weights(sources), "calibration": sources.calibration, "separator": sources.separator}


def _weights(sources: Sources) -> dict[str, dict[str, float]]:
    """Return the weights of voters that have names."""
    return {"weights": dict(zip(sources.voters, sources.weights))} if sources.voters else {}


def _leave_out(ranking: Ranking, pool: Pool, sources: Sources, share: float) -> dict[str, int]:
    """Take the clips that are least like any class of the light clips out of a ranking; return how many, by why."""
    if not share:
        return {}
    try:
        light, truth_N = held_out_light(pool, sources.light, sources.trained)
    except NotHeldOut as reason:
        raise InputError(f"--unknown compares the pool with held-out light clips: {reason}") from None
    far_N = novelty(pool.voters, light, truth_N, pool.temperatures)
    order = np.argsort(-np.where(np.isfinite(far_N), far_N, -np.inf), kind="stable")
    rows = order[: round(share * int(np.isfinite(far_N).sum()))]
    ranking.score[rows] = ranking.confidence[rows] = -np.inf
    print(f"left out {len(rows)} clips that are least like any class of the light clips (--unknown {share:g})")
    return {"unknown": len(rows)}


def _chosen(
    ranking: Ranking, pool: Pool, wish: Wish, separator: str | None
) -> tuple[np.ndarray, dict[str, dict[str, int]]]:
    """Return the selected rows, best first, and what corrections did; theirs come before all others."""
    if not wish.fixed:
        return choose(ranking, wish.coverage), {}
    labels_N = read_fixed(wish.fixed[0], pool, separator)
    ruled = set(choose(ranking, wish.coverage).tolist())
    before_N = ranking.labels.copy()
    given = fix_rows(ranking, labels_N)
    rows = np.concatenate([given, choose(ranking, wish.coverage, taken=len(given))])
    counts = {
        "labelled": len(given),
        "never": int((labels_N == -1).sum()),
        "changed": int((before_N[given] != labels_N[given]).sum()),
        "taken_out": sum(labels_N[row] == -1 for row in ruled),
    }
    return rows, {"fixed": {name: int(count) for name, count in counts.items()}}


def _tell(ranking: Ranking, pool: Pool, rows: np.ndarray, missing: np.ndarray) -> None:
    """Say on stderr what is odd about a selection; refuse an empty one."""
    if not len(rows):
        raise InputError("no row is left to select: the corrections take out all of them")
    if ranking.unaligned:
        _say(f"note: class shares are not aligned: {ranking.unaligned}; --shares would align to given ones")
    if len(missing):
        _say(
            f"warning: {len(missing)} of {len(pool.names)} videos have no scores and are never selected,"
            f" first {pool.names[missing[0]]}"
        )
    absent = sorted(set(range(pool.newest.shape[1])) - set(ranking.labels[rows].tolist()))
    if absent and len(absent) < pool.newest.shape[1] - 1:
        text = ", ".join(map(str, absent))
        _say(f"note: no selected video has the class {text}: light clips alone teach what that looks like")
    if len(np.unique(ranking.labels[rows])) == 1 and len(rows) > 1:
        _say(
            f"warning: all {len(rows)} selected videos have the class {ranking.labels[rows[0]]}: nothing to tell apart"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def measure(
    sources: Sources, truth_file: Path, rules: Sequence[str], coverages: Sequence[float]
) -> dict[str, dict[str, list]]:
    """Print, as a Markdown table, the precision (%) of rules at several coverages of the labelled rows.

    Args:
        sources: of the pool.
        truth_file: rows `name,label`; they measure only.
        rules: names of `label_free.RULES`.
        coverages: shares in (0, 1].

    Returns:
        The figures by rule.
    """
    pool = read_pool(sources)
    truth_N = truth_of(pool.names, truth_file, pool.newest.shape[1], sources.separator)
    print("| rule | " + " | ".join(f"{100 * share:g} %" for share in coverages) + " | own choice: kept, precision |")
    print("|---" * (len(coverages) + 2) + "|")
    figures = {}
    for rule in rules:
        ranking = rank_pool(pool.newest, pool.witnesses, rule, weights=pool.witness_weights)
        curve = [100 * precision_at(ranking, truth_N, share) for share in coverages]
        own = choose(ranking)
        known = own[truth_N[own] >= 0]
        kept = 100 * len(known) / int((truth_N >= 0).sum())
        right = 100 * float((ranking.labels[known] == truth_N[known]).mean()) if len(known) else float("nan")
        shown_curve = [f"{value:.2f}" if np.isfinite(value) else "-" for value in curve]
        print(f"| {rule} | " + " | ".join(shown_curve) + f" | {kept:.1f}, {right:.2f} |")
        figures[rule] = {
            "coverage": list(coverages),
            "precision": [value if np.isfinite(value) else None for value in curve],
            "own": [kept, right if np.isfinite(right) else None],
        }
    return figures
