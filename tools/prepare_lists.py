"""Write the lists and a small configuration for your own clips, or the lists of UG2+ / ARID for downloaded folders."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.formats import command
from slowfast.utils import cli
from slowfast.utils.errors import InputError


def main() -> None:
    """Parse the arguments and write the lists."""
    args = parse()
    if args.source or args.target:
        command.run(args)
        return
    from slowfast.apps.prepare import prepare, prepare_ug2, remarks
    from slowfast.utils.paths import argument_path

    if args.ug2:
        for name, rows in prepare_ug2(argument_path(args.ug2), [argument_path(path) for path in args.labels]).items():
            print(f"{name}: {rows} rows")
        return
    if not (args.light and args.dark):
        raise InputError("--light DIR and --dark DIR are needed (or --ug2 DIR, --from KIND SOURCE, --to KIND TARGET)")
    optional = {name: argument_path(getattr(args, name)) for name in ("val", "dark_val", "test") if getattr(args, name)}
    output = Path(args.output).expanduser().absolute()
    folders = prepare(
        output,
        argument_path(args.light),
        argument_path(args.dark),
        check=not args.no_check,
        workers=args.workers,
        **optional,
    )
    for split, folder in folders.items():
        print(f"{output / split}.csv: {len(folder.rows)} clips of {folder.path}")
        for name, reason in folder.left_out:
            print(f"  left out: {name}: {reason}")
    for line in remarks(folders):
        print(line)
    print(f"configuration: {output / 'data.yaml'}")


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Write lists from class folders, checked, and data.yaml, which names them for tools/run_net.py.",
        "python tools/prepare_lists.py --light clips/light --dark clips/dark --output data/mine",
    )
    parser.add_argument("--light", metavar="DIR", help="labelled light clips, one folder per class")
    parser.add_argument("--dark", metavar="DIR", help="unlabelled dark clips, at any depth")
    parser.add_argument("--val", metavar="DIR", help="labelled light clips for validation, the same class folders")
    parser.add_argument("--dark-val", metavar="DIR", help="labelled dark clips for validation, the same class folders")
    parser.add_argument("--test", metavar="DIR", help="clips to predict (default: the dark ones)")
    parser.add_argument("--output", default="data/mine", metavar="DIR", help="where the lists go (default data/mine)")
    parser.add_argument("--no-check", action="store_true", help="do not decode the clips (no gamma is suggested)")
    parser.add_argument("--workers", type=cli.at_least_one, help="processes of the check (default: one a core)")
    parser.add_argument("--ug2", metavar="DIR", help="data root with the folders of UG2+ Track 2.1 and ARID")
    parser.add_argument("--labels", nargs="+", default=[], metavar="CSV", help="with --ug2: lists with labels")
    command.add_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    cli.run(main)
