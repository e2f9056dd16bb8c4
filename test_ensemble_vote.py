"""The final vote: ten prediction files become five submission files and the voted one."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from slowfast.apps.stages import add_mixed_argument
from slowfast.apps.vote import vote
from slowfast.ensemble.rules import submission_rules
from slowfast.lists.rows import add_separator_argument
from slowfast.utils import cli
from slowfast.utils.paths import REPO_ROOT, argument_path, repo_path


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Fuse the ten PKLs of the last round into arid_pred_0.csv .. arid_pred_4.csv and vote arid_pred.csv.",
        "python test_ensemble_vote.py --exp-root . --list data/test.csv --output-dir submission",
    )
    parser.add_argument("--exp-root", metavar="DIR", help="folder that holds exp_pseudo_stage4 and exp_experts")
    parser.add_argument("--list", metavar="CSV", help="test list; default data/test.csv")
    add_separator_argument(parser)
    parser.add_argument("--output-dir", metavar="DIR", help="default submission")
    parser.add_argument("--rules", metavar="YAML", help="another table of modes and rules; default: the published one")
    parser.add_argument(
        "--estimate", metavar="JSON", help="record of the whole pool's table: its estimate of precision"
    )
    parser.add_argument(
        "--fill-missing",
        action="store_true",
        help="go on when videos have no scores (NaN): a model without scores counts as undecided between all classes",
    )
    add_mixed_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Run the five modes and the vote."""
    args = parse()
    rules = submission_rules(argument_path(args.rules) if args.rules else None)
    root = argument_path(args.exp_root) if args.exp_root is not None else REPO_ROOT
    list_file = argument_path(args.list) if args.list is not None else repo_path("data/test.csv")
    folder = Path(args.output_dir).expanduser().absolute() if args.output_dir else repo_path("submission")
    estimate = argument_path(args.estimate) if args.estimate else None
    more = {"fill": args.fill_missing, "estimate": estimate, "mixed": args.mixed}
    vote(rules, root, list_file, folder, separator=args.separator, **more)


if __name__ == "__main__":
    cli.run(main)
