"""Figures of several seeds side by side, as Markdown: mean and range of every rung of the ladder."""

from collections.abc import Mapping, Sequence
from typing import Any

from slowfast.report.data import MEAN, VOTE


def seeds_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the ladder and the pseudo-labels of several runs as Markdown tables.

    Args:
        runs: contents of `metrics.json`, one per seed, of the same mode.

    Returns:
        Text without a line end; means with one decimal, ranges of several runs in parentheses.
    """
    ladders = [{_key(row): row["top1"] for row in run["ladder"]} for run in runs]
    rungs = dict.fromkeys(key[:3] for ladder in ladders for key in ladder)
    lines = ["| step | views x crops | mean of the voters | vote |", "|---|---|---|---|"]
    for step, views, crops in rungs:
        cells = [
            _spread([ladder[key] for ladder in ladders if (key := (step, views, crops, model)) in ladder])
            for model in (MEAN, VOTE)
        ]
        lines.append(f"| `{step}` | {views}x{crops} | {cells[0]} | {cells[1]} |")
    lines += ["", "| round | kept of the pool, % | precision, % |", "|---|---|---|"]
    rounds = [{entry["stage"]: entry for entry in run["pseudo_labels"]} for run in runs]
    for stage in sorted(set().union(*rounds)):
        entries = [entry[stage] for entry in rounds if stage in entry]
        kept = _spread([100.0 * entry["selected"] / entry["pool"] for entry in entries])
        lines.append(f"| {stage} | {kept} | {_spread([entry['precision'] for entry in entries])} |")
    wall = [run["seconds"]["wall"] / 60 for run in runs if "wall" in run["seconds"]]
    seeds = ("Seeds " if len(runs) > 1 else "Seed ") + ", ".join(str(run["seed"]) for run in runs)
    lines += ["", seeds + (f"; wall time {_spread(wall)} minutes." if wall else ".")]
    return "\n".join(lines)


def replace_marked(text: str, mark: str, content: str) -> str:
    """Return `text` with what stands between `<!-- MARK -->` and `<!-- /MARK -->` replaced.

    Raises:
        ValueError: the text does not hold both marks, in this order.
    """
    before, opening, rest = text.partition(f"<!-- {mark} -->")
    _, closing, after = rest.partition(f"<!-- /{mark} -->")
    if not opening or not closing:
        raise ValueError(f"<!-- {mark} --> ... <!-- /{mark} --> does not stand in the text")
    return f"{before}{opening}\n{content}\n{closing}{after}"


def _key(row: Mapping[str, Any]) -> tuple[str, int, int, str]:
    """Return what identifies a row of the ladder."""
    return row["step"], row["views"], row["crops"], row["model"]


def _spread(values: Sequence[float]) -> str:
    """Return mean and range of some numbers, a single one as it is, nothing for none."""
    if len(values) < 2:
        return "".join(f"{value:.1f}" for value in values)
    return f"{sum(values) / len(values):.1f} ({min(values):.1f} to {max(values):.1f})"
