"""First job of a schedule: look at the lists that it needs, before anything is trained."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.files import write_text
from slowfast.utils.paths import argument_path


def main() -> None:
    """Look at everything that can be known; write `lists.checked` beside the lists when nothing is wrong."""
    parser = cli.make_parser(
        "Look for the lists of a schedule, name all that are missing or wrong, and write lists.checked beside them.",
        "python tools/check_lists.py data train_label+val_dry.csv test.csv",
    )
    parser.add_argument("data", metavar="DIR", help="data root")
    parser.add_argument("names", nargs="+", metavar="FILE", help="files that have to lie in it")
    parser.add_argument("--how", default="make it with tools/prepare_lists.py", help="what to do about a missing one")
    parser.add_argument("--cfg", action="append", default=[], metavar="YAML", help="of a training: its lists are read")
    parser.add_argument("--rules", metavar="YAML", default="", help="table of the vote: are its classes those of lists")
    args = parser.parse_args()
    from slowfast.apps.schedule_check import check_schedule

    folder = argument_path(args.data)
    check_schedule(folder, args.data, args.names, args.how, configs=args.cfg, rules=args.rules)
    write_text(folder / "lists.checked", "\n".join(args.names) + "\n")


if __name__ == "__main__":
    cli.run(main)
