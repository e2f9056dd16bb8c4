"""Decode every video of a folder or list and report what cannot be read, what is dark, and a gamma for it."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.lists.rows import add_separator_argument
from slowfast.utils import cli


def main() -> int:
    """Parse the arguments, check, write the report, print the summary."""
    args = parse()
    from slowfast.apps.check_videos import check_files, files_of_list, write_report
    from slowfast.lists.endings import ENDINGS, find_files
    from slowfast.utils.paths import argument_path, output_path

    source = argument_path(args.source)
    if source.is_dir():
        paths = find_files(source)
        names = [str(path.relative_to(source)) for path in paths]
    elif source.suffix.lower() in ENDINGS:
        names, paths = [source.name], [source]
    else:
        folder = argument_path(args.folder) if args.folder else None
        names, paths = files_of_list(source, folder, args.separator)
    facts = check_files(paths, backend=args.backend, workers=args.workers, timeout=args.timeout)
    report = output_path(args.output)
    summary = write_report(report, names, facts)
    for name, fact in zip(names, facts):
        if fact.error or fact.problems:
            print(f"{'unreadable' if fact.error else 'in part'}: {name}: {fact.error or fact.problems}")
    for key, value in summary.items():
        print(f"{key}: {value}")
    print(f"table: {report}")
    return cli.EXIT_BAD_INPUT if args.strict and summary["unreadable"] else cli.EXIT_OK


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Decode every video of a folder or list in parallel; write report.csv and a summary with a suggested gamma.",
        "python tools/check_videos.py data/dark_train/Train --output output/report.csv",
    )
    parser.add_argument("source", metavar="LIST_OR_DIR", help="a list (name, label) or a folder searched at any depth")
    parser.add_argument("--folder", help="folder of a list's videos (default: found beside the list)")
    add_separator_argument(parser)
    parser.add_argument("--output", default="report.csv", help="table (default report.csv); the summary is beside it")
    parser.add_argument("--workers", type=cli.at_least_one, help="processes (default: one a core)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one video (default 300)")
    parser.add_argument("--backend", default="pyav", help="pyav (default), decord or torchcodec")
    parser.add_argument("--strict", action="store_true", help="exit with 2 when a video cannot be read")
    return parser.parse_args()


if __name__ == "__main__":
    cli.run(main)
