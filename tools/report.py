"""Write a page about any run or schedule: accuracy or agreement, pseudo-labels, curves, clips that play."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def clip_count(text: str) -> int | None:
    """Return a number of clips, None for all of them."""
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor all")
    return None if text == "all" else int(text)


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Write a page about runs or a schedule from what lies in their folders. No label of a dark clip is needed; "
        "with labels it also shows accuracies and confusion matrices. Up to 120 clips lie in the page itself, more "
        "in a folder beside it.",
        "python tools/report.py output/real --truth data/real/arid.csv --output output/real/report.html",
    )
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="of a run or a schedule, searched at any depth")
    parser.add_argument("--output", metavar="HTML", required=True, help="the page")
    parser.add_argument("--truth", metavar="CSV", nargs="+", default=[], help="rows `name,label` of dark clips")
    parser.add_argument("--videos", metavar="DIR", help="where the clips lie (default: as the configurations say)")
    parser.add_argument("--clips", type=clip_count, default=60, metavar="N", help="clips that play, or all (60)")
    parser.add_argument("--gamma", type=float, help="of the right half (default: that of the tests)")
    parser.add_argument("--title", default="", help="headline (default: the folders)")
    return parser.parse_args()


def main() -> None:
    """Write the page and say what is on it."""
    args = parse()
    from slowfast.apps.report.make import Options, make_report
    from slowfast.utils.errors import InputError
    from slowfast.utils.paths import argument_path, output_path

    if args.gamma is not None and not 0 < args.gamma <= 10:
        raise InputError(f"--gamma is {args.gamma}, a value above 0 and up to 10 is needed (1 is off)")
    truth = [argument_path(path) for path in args.truth]
    videos = argument_path(args.videos) if args.videos else None
    output = output_path(args.output)
    folders = [argument_path(folder) for folder in args.folders]
    data = make_report(folders, output, Options(truth, videos, args.clips, args.gamma, args.title))
    for note in data.notes:
        print(f"note: {note}", file=sys.stderr)
    playing = sum("f" in film for film in data.films)
    print(f"{output}: {len(data.films)} clips, {playing} of them play, {len(data.rounds)} rounds of pseudo-labels")


if __name__ == "__main__":
    cli.run(main)
