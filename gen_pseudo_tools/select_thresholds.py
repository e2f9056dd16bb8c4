"""Search of the thresholds per class against known labels."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.stages import VOTERS, add_voter_arguments
from slowfast.apps.thresholds import search_all, show
from slowfast.lists.rows import add_separator_argument
from slowfast.utils import cli
from slowfast.utils.files import write_json
from slowfast.utils.paths import argument_path


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Search, for every class, the smallest threshold with the highest precision against known labels."
        " Labels are used here: for selection without labels see select_pseudo_labels.py.",
        "python gen_pseudo_tools/select_thresholds.py --truth data/arid.csv --list data/total_unlabel.csv"
        " --ssv2 A.pkl --uni B.pkl --mvit C.pkl --sf D.pkl --json thresholds.json",
    )
    parser.add_argument("--truth", metavar="CSV", required=True, help="rows `name,label`; may cover a part of the list")
    parser.add_argument("--list", metavar="CSV", required=True, help="list that the predictions were made from")
    add_separator_argument(parser)
    add_voter_arguments(parser, required=True)
    parser.add_argument("--json", metavar="FILE", help="write everything there as well")
    return parser.parse_args()


def main() -> None:
    """Search every class and report."""
    args = parse()
    paths = {voter: argument_path(getattr(args, voter)) for voter in VOTERS}
    searches, record = search_all(argument_path(args.list), argument_path(args.truth), paths, args.separator)
    show(searches)
    if args.json is not None:
        write_json(Path(args.json).expanduser().absolute(), record)


if __name__ == "__main__":
    cli.run(main)
