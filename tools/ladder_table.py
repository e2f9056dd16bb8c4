"""Mean and range of the demo's figures over several seeds, as Markdown."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.demo.seeds import replace_marked, seeds_table
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text
from slowfast.utils.paths import argument_path


def read_metrics(path: Path) -> dict:
    """Return the figures of one run.

    Raises:
        InputError: no such file, or other content.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        return {key: run[key] for key in ("seed", "mode", "seconds", "ladder", "pseudo_labels")}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `make demo` with that seed first") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no metrics.json of the demo ({error!r}); run the demo again") from None


def main() -> None:
    """Read the runs, print the tables, put them into a text."""
    parser = cli.make_parser(
        "Print mean and range of the demo's ladder and pseudo-labels over several seeds as Markdown.",
        "python tools/ladder_table.py output/demo/quick-seed{0,1,2}/metrics.json --readme README.md --mark quick",
    )
    parser.add_argument("metrics", nargs="+", metavar="JSON", help="metrics.json of one seed each")
    parser.add_argument("--readme", metavar="MD", help="replace the marked part of this text by the tables")
    parser.add_argument("--mark", default="quick", help="part <!-- demo-figures:MARK --> of it (quick)")
    args = parser.parse_args()
    runs = [read_metrics(argument_path(path)) for path in args.metrics]
    if len({run["mode"] for run in runs}) > 1 or len({run["seed"] for run in runs}) < len(runs):
        raise InputError("the runs need one mode and different seeds: " + ", ".join(args.metrics))
    table = seeds_table(runs)
    print(table)
    if args.readme:
        path = argument_path(args.readme)
        try:
            text = replace_marked(path.read_text(encoding="utf-8"), f"demo-figures:{args.mark}", table)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {error}; check --readme and --mark") from None
        write_text(path, text)


if __name__ == "__main__":
    cli.run(main)
