"""Joins prediction files of several lists into one, in the order given."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.ensemble.fuse import join_voters
from slowfast.ensemble.predictions import concatenate, load_predictions, save_predictions
from slowfast.lists.rows import add_separator_argument
from slowfast.lists.tables import read_names
from slowfast.utils import cli
from slowfast.utils.paths import argument_path


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Join the predictions of one model for several lists, for example 3,088 rows of dark_unlabel and 6,207 rows"
        " of arid into the 9,295 rows of total_unlabel.",
        "python tools/join_predictions.py dark_unlabelx32x224x1x1.pkl aridx32x224x1x1.pkl"
        " --list data/total_unlabel.csv --output total_unlabelx32x224x1x1.pkl",
    )
    parser.add_argument("predictions", metavar="PKL", nargs="+", help="files of one model, in the order of the rows")
    parser.add_argument(
        "--list",
        metavar="CSV",
        help="list of all rows: files with names are put into its order, files without names get its names",
    )
    add_separator_argument(parser)
    parser.add_argument("--output", metavar="PKL", required=True, help="file to write")
    return parser.parse_args()


def main() -> None:
    """Join and write."""
    args = parse()
    joined = concatenate([load_predictions(argument_path(path)) for path in args.predictions])
    if args.list is not None:
        list_file = argument_path(args.list)
        joined = join_voters({"joined": joined}, read_names(list_file, args.separator)[0], str(list_file))["joined"]
    output = Path(args.output).expanduser().absolute()
    save_predictions(output, joined)
    named = "with" if joined.video_names else "without"
    print(f"{len(joined.video_preds)} rows, {named} names, written to {output}")


if __name__ == "__main__":
    cli.run(main)
