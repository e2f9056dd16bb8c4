"""First job of a schedule: look for the lists that it needs, before anything is trained."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text
from slowfast.utils.paths import argument_path


def main() -> None:
    """Look for all files; write `lists.checked` beside them when none is missing."""
    parser = cli.make_parser(
        "Look for the lists of a schedule, name all that are missing, and write lists.checked beside them.",
        "python tools/check_lists.py data train_label+val_dry.csv test.csv",
    )
    parser.add_argument("data", metavar="DIR", help="data root")
    parser.add_argument("names", nargs="+", metavar="FILE", help="files that have to lie in it")
    parser.add_argument("--how", default="make it with tools/prepare_lists.py", help="what to do about a missing one")
    args = parser.parse_args()
    folder = argument_path(args.data)
    missing = [name for name in args.names if not (folder / name).is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"{', '.join(f'{args.data}/{name}' for name in missing)} {verb} missing; {args.how}")
    write_text(folder / "lists.checked", "\n".join(args.names) + "\n")


if __name__ == "__main__":
    cli.run(main)
