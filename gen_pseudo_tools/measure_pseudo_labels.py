"""Measures the label-free rules against known labels: precision at several coverages."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from gen_pseudo_tools.select_thresholds import truth_of
from slowfast.ensemble.calibration import CALIBRATIONS
from slowfast.ensemble.label_free import RULES, choose, precision_at, rank_pool
from slowfast.ensemble.pool import build_pool
from slowfast.ensemble.predictions import load_predictions
from slowfast.lists.tables import read_names, read_table
from slowfast.utils import cli
from slowfast.utils.files import write_json
from slowfast.utils.paths import argument_path

COVERAGES = (0.3, 0.495, 0.6, 0.756, 0.85, 0.9, 0.939, 0.97, 1.0)


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Print, as a Markdown table, the precision (%) of every label-free rule at several coverages of the labelled"
        " rows. The labels measure only; no rule sees them.",
        "python gen_pseudo_tools/measure_pseudo_labels.py --tables data/pseudo/stage1.csv data/pseudo/stage2.csv"
        " data/pseudo/stage3.csv data/pseudo/stage4.csv --list data/total_unlabel.csv --truth data/arid.csv",
    )
    parser.add_argument("--predictions", metavar="PKL", nargs="+", default=[], help="one PKL for each voter")
    parser.add_argument("--tables", metavar="CSV", nargs="+", default=[], help="pseudo-label tables, oldest first")
    parser.add_argument("--list", metavar="CSV", help="the pool; default: the videos of the newest input")
    parser.add_argument("--truth", metavar="CSV", required=True, help="rows `name,label`; may cover a part of the pool")
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES), help="default: all")
    parser.add_argument("--calibration", choices=CALIBRATIONS, default=CALIBRATIONS[0], help="of voters")
    parser.add_argument("--coverages", nargs="+", type=float, default=COVERAGES, metavar="X", help="shares in (0, 1]")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def shown_percent(value: float) -> str:
    """Return a percentage for the table, a dash where a coverage cannot be reached."""
    return f"{value:.2f}" if np.isfinite(value) else "-"


def main() -> None:
    """Rank the pool by every rule and compare with the labels."""
    args = parse()
    names = read_names(argument_path(args.list))[0] if args.list else None
    pool = build_pool(
        [load_predictions(argument_path(path)) for path in args.predictions],
        [read_table(argument_path(path)) for path in args.tables],
        names,
        args.calibration,
        args.list or "the list",
    )
    truth_N = truth_of(pool.names, argument_path(args.truth), pool.newest.shape[1])
    print(
        "| rule | " + " | ".join(f"{100 * share:g} %" for share in args.coverages) + " | own choice: kept, precision |"
    )
    print("|---" * (len(args.coverages) + 2) + "|")
    figures = {}
    for rule in args.rules:
        ranking = rank_pool(pool.newest, pool.witnesses, rule)
        curve = [100 * precision_at(ranking, truth_N, share) for share in args.coverages]
        own = choose(ranking)
        known = own[truth_N[own] >= 0]
        kept = 100 * len(known) / int((truth_N >= 0).sum())
        right = 100 * float((ranking.labels[known] == truth_N[known]).mean()) if len(known) else float("nan")
        print(f"| {rule} | " + " | ".join(map(shown_percent, curve)) + f" | {kept:.1f}, {right:.2f} |")
        figures[rule] = {
            "coverage": list(args.coverages),
            "precision": [value if np.isfinite(value) else None for value in curve],
            "own": [kept, right if np.isfinite(right) else None],
        }
    if args.json is not None:
        write_json(Path(args.json).expanduser().absolute(), figures)


if __name__ == "__main__":
    cli.run(main)
