"""The final vote: ten prediction files become five submission files and the voted one, or any files one."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from slowfast.apps.stages import add_mixed_argument
from slowfast.apps.vote import plain_vote, vote
from slowfast.ensemble.rules import submission_rules
from slowfast.ensemble.voters import add_vote_argument, parse_votes
from slowfast.lists.rows import add_separator_argument
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.paths import REPO_ROOT, argument_path, repo_path


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Fuse the ten PKLs of the last round into arid_pred_0.csv .. arid_pred_4.csv and vote arid_pred.csv; with "
        "--voter the weighted mean of any predictions becomes arid_pred.csv and predictions.csv.",
        "python test_ensemble_vote.py --voter a=a/testx8x56x3x3.pkl --voter b=b/testx16x224x1x3.pkl:0.5",
    )
    parser.add_argument("--exp-root", metavar="DIR", help="folder that holds exp_pseudo_stage4 and exp_experts")
    add_vote_argument(parser)
    parser.add_argument(
        "--alternative",
        action="append",
        default=[],
        metavar="ENDING",
        help="beside FILE.pkl of a --voter FILE+ENDING.pkl too, where it is: the one that agrees most with the others",
    )
    parser.add_argument(
        "--weigh",
        choices=("agreement",),
        default="",
        help="multiply the weights of --voter by how far each agrees with the others beyond chance (squared)",
    )
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
    """Run the five modes and the vote, or the plain vote."""
    args = parse()
    if args.voter and (args.rules or args.exp_root):
        raise InputError("--voter is a vote without --rules and --exp-root, leave these out")
    rules = submission_rules(argument_path(args.rules) if args.rules else None)
    root = argument_path(args.exp_root) if args.exp_root is not None else REPO_ROOT
    list_file = argument_path(args.list) if args.list is not None else repo_path("data/test.csv")
    folder = Path(args.output_dir).expanduser().absolute() if args.output_dir else repo_path("submission")
    options = {"separator": args.separator, "fill": args.fill_missing, "mixed": args.mixed}
    options["estimate"] = argument_path(args.estimate) if args.estimate else None
    if args.voter:
        voters = {name: (argument_path(path), weight) for name, (path, weight) in parse_votes(args.voter).items()}
        plain_vote(voters, list_file, folder, alternatives=args.alternative, weigh=args.weigh, **options)
        return
    if args.alternative or args.weigh:
        raise InputError("--alternative and --weigh are for voters that --voter names, leave these out")
    vote(rules, root, list_file, folder, **options)


if __name__ == "__main__":
    cli.run(main)
