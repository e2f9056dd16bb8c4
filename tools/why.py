"""Why a result is what it is: what it was made from, what of that has changed since, how two results differ."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.why import compare, tree_of
from slowfast.utils import cli
from slowfast.utils.files import write_json
from slowfast.utils.paths import argument_path, output_path

EXIT_CHANGED = 3


def main() -> int:
    """Print the tree of a result, or the first difference of two."""
    parser = cli.make_parser(
        "Print what a result was made from, down to lists and weights, and what of that has changed since (exit 3);"
        " of two results the first difference.",
        "python tools/why.py submission/arid_pred.csv",
    )
    parser.add_argument("file", metavar="FILE", help="checkpoint, PKL, table, submission or features")
    parser.add_argument("other", metavar="FILE2", nargs="?", help="a second result to compare it with")
    parser.add_argument("--json", metavar="FILE", help="write everything there as well")
    args = parser.parse_args()
    if args.other is not None:
        found = compare(argument_path(args.file), argument_path(args.other))
        print(found[0] if found else "no difference is recorded")
        report, changed = {"differences": found}, []
    else:
        tree = tree_of(argument_path(args.file))
        changed = tree.changed()
        print("\n".join([*tree.lines(), tree.verdict()]))
        report = {"tree": tree.as_plain(), "changed": changed}
    if args.json is not None:
        write_json(output_path(args.json), report)
    return EXIT_CHANGED if changed else 0


if __name__ == "__main__":
    cli.run(main)
