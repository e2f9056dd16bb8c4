"""Write MODEL_ZOO.md from the table of published weights."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError


def main() -> None:
    """Parse the arguments; write or compare the file."""
    parser = cli.make_parser(
        "Write MODEL_ZOO.md from slowfast/apps/zoo.py; with --check only tell whether it is up to date.",
        "python tools/make_model_zoo.py",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 2 when the file is not current"
    )
    args = parser.parse_args()
    from slowfast.apps.zoo import markdown
    from slowfast.utils.files import write_text
    from slowfast.utils.paths import REPO_ROOT

    path = REPO_ROOT / "MODEL_ZOO.md"
    if not args.check:
        write_text(path, markdown())
        print(path)
    elif not path.is_file() or path.read_text(encoding="utf-8") != markdown():
        raise InputError(f"{path} is not what slowfast/apps/zoo.py says, run tools/make_model_zoo.py")


if __name__ == "__main__":
    cli.run(main)
