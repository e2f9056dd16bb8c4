"""Look at pseudo-labels in a local page, confirm, correct or reject them by keyboard, and take them along."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Show pseudo-labelled clips on a page for this machine only, the most useful ones first, and keep what a "
        "person decides in TABLE.review.jsonl. --export writes the corrected table, and corrections for --fixed.",
        "python tools/review.py data/real/pseudo/stage1.csv --videos data/real/dark",
    )
    parser.add_argument("table", metavar="TABLE.csv", help="pseudo-labels")
    parser.add_argument("--videos", metavar="DIR", help="folder of the clips")
    parser.add_argument("--predictions", metavar="PKL", nargs="+", default=[], help="voters, shown beside the label")
    parser.add_argument("--tables", metavar="CSV", nargs="+", default=[], help="other tables of these clips, as voters")
    parser.add_argument("--class-names", metavar="A,B,...", default="", help="default: those of the predictions")
    parser.add_argument("--gamma", type=float, default=0.25, help="of the right half (0.25)")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--export", metavar="OUT.csv", help="write the corrected table, without a page")
    args = parser.parse_args()
    if not args.videos and not args.export:
        parser.error("give --videos DIR, or --export OUT.csv")
    return args


def main() -> None:
    """Serve the page until the command is stopped, or write the table."""
    args = parse()
    from slowfast.apps.review.export import export
    from slowfast.apps.review.films import Films
    from slowfast.apps.review.server import ReviewServer
    from slowfast.apps.review.state import missing_clips, open_review
    from slowfast.utils.errors import InputError
    from slowfast.utils.paths import argument_path, output_path

    if not 0 < args.gamma <= 10:
        raise InputError(f"--gamma is {args.gamma}, a value above 0 and up to 10 is needed (1 is off)")
    table = argument_path(args.table)
    predictions, tables = ([argument_path(path) for path in paths] for paths in (args.predictions, args.tables))
    names = [name.strip() for name in args.class_names.split(",") if name.strip()]
    review = open_review(table, predictions, tables, names)
    if args.export:
        counts = export(review, table, output_path(args.export))
        print(f"{args.export}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
        return
    videos = argument_path(args.videos)
    gone = missing_clips(review.table, videos)
    if gone:
        print(
            f"note: {len(gone)} of {len(review.table.names)} clips are not below {videos}, first {gone[0]}", flush=True
        )
    films = Films([os.path.join(videos, name) for name in review.table.names], args.gamma)
    server = ReviewServer(review, films, f"Review of {table.name}", args.port)
    print(f"open {server.address}\ndecisions: {review.journal.path}; Ctrl-C ends", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"{review.state()['decided']} clips are decided")


if __name__ == "__main__":
    cli.run(main)
