"""Measures the label-free rules against known labels: precision at several coverages."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.selection import Sources, measure
from slowfast.ensemble.calibration import CALIBRATIONS
from slowfast.ensemble.label_free import RULES
from slowfast.lists.rows import add_separator_argument
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
    add_separator_argument(parser)
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES), help="default: all")
    parser.add_argument("--calibration", choices=CALIBRATIONS, default=CALIBRATIONS[0], help="of voters")
    parser.add_argument("--coverages", nargs="+", type=float, default=COVERAGES, metavar="X", help="shares in (0, 1]")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def main() -> None:
    """Rank the pool by every rule and compare with the labels."""
    args = parse()
    predictions, tables = ([argument_path(path) for path in paths] for paths in (args.predictions, args.tables))
    pool_list = [argument_path(args.list)] if args.list else []
    sources = Sources(predictions, tables, pool_list, args.separator, args.calibration)
    figures = measure(sources, argument_path(args.truth), args.rules, args.coverages)
    if args.json is not None:
        write_json(Path(args.json).expanduser().absolute(), figures)


if __name__ == "__main__":
    cli.run(main)
