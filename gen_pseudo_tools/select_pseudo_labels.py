"""Label-free selection of pseudo-labels, for any number of voters, rounds and classes."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.selection import Sources, Wish, select
from slowfast.apps.stages import add_mixed_argument, output_path
from slowfast.ensemble.calibration import CALIBRATIONS
from slowfast.ensemble.label_free import DEFAULT_RULE, RULES
from slowfast.ensemble.voters import add_vote_argument, parse_votes
from slowfast.lists.rows import add_separator_argument
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.paths import argument_path


def share(text: str) -> float:
    """Return a coverage in (0, 1]."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share above 0 and at most 1, such as 0.75")
    return value


def part(text: str) -> float:
    """Return a share in (0, 1)."""
    value = share(text)
    if value < 1:
        return value
    raise argparse.ArgumentTypeError(f"{text} leaves nothing to select; give a share below 1, such as 0.2")


def shares(text: str) -> list[float]:
    """Return the wanted class shares."""
    values = [float(part) for part in text.split(",")]
    if all(0 < value < float("inf") for value in values):
        return values
    raise argparse.ArgumentTypeError(f"{text} is not a list of positive numbers, one for each class")


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    rules = "; ".join(f"{name}: {rule.__doc__.splitlines()[0].rstrip('.')}" for name, rule in RULES.items())
    parser = cli.make_parser(
        "Select pseudo-labels without any label, from the predictions of this round, from tables of this and earlier"
        " rounds, or from both (then the tables are the earlier rounds).",
        "python gen_pseudo_tools/select_pseudo_labels.py --tables data/pseudo/stage1.csv data/pseudo/stage2.csv"
        " --list data/total_unlabel.csv --coverage 0.75 --output selected.csv",
    )
    parser.add_argument("--predictions", metavar="PKL", nargs="+", default=[], help="one PKL for each voter")
    add_vote_argument(parser)
    parser.add_argument("--tables", metavar="CSV", nargs="+", default=[], help="pseudo-label tables, oldest first")
    parser.add_argument("--list", metavar="CSV", help="the pool; default: the videos of the newest input")
    parser.add_argument("--rule", choices=list(RULES), default=DEFAULT_RULE, help=f"default {DEFAULT_RULE}. {rules}")
    parser.add_argument("--coverage", type=share, metavar="X", help="share of the pool to keep; default: the rule's")
    parser.add_argument("--at-most", type=share, metavar="X", help="the largest coverage; --light may lower it")
    parser.add_argument("--light", metavar="PKL", nargs="+", default=[], help="voters' PKLs of held-out light clips")
    parser.add_argument(
        "--unknown", type=part, default=0.0, metavar="X", help="share of the pool to leave out as of no class; --light"
    )
    parser.add_argument("--trained", metavar="CSV", help="list of the clips that were trained on, which do not count")
    parser.add_argument("--force", action="store_true", help="train the round whatever the estimate says")
    parser.add_argument(
        "--shares", type=shares, metavar="A,B,...", help="class shares that are aimed at; default: equal"
    )
    parser.add_argument(
        "--calibration", choices=CALIBRATIONS, default=CALIBRATIONS[0], help=f"of voters; default {CALIBRATIONS[0]}"
    )
    add_separator_argument(parser)
    add_mixed_argument(parser)
    parser.add_argument(
        "--fixed", metavar="CSV", help="rows `name,label` of a person, -1: never use; they win over every rule"
    )
    parser.add_argument("--sort", action="store_true", help="write the most confident rows first, not in list order")
    parser.add_argument("--output", metavar="CSV", required=True, help="table to write; a JSON is written beside it")
    return parser.parse_args()


def main() -> None:
    """Rank the pool, select, write the table and what it was made from."""
    args = parse()
    single = ([path] if path else [] for path in (args.list, args.fixed, args.trained))
    given = (args.predictions, args.tables, args.light, *single)
    predictions, tables, light, pool_list, fixed, trained = ([argument_path(path) for path in paths] for paths in given)
    if predictions and args.voter:
        raise InputError("--voter names the predictions, leave --predictions out")
    votes = parse_votes(args.voter)
    predictions = predictions or [argument_path(path) for path, _ in votes.values()]
    weights = [weight for _, weight in votes.values()]
    sources = Sources(
        predictions, tables, pool_list, args.separator, args.calibration, light, trained, args.mixed, [*votes], weights
    )
    wish = Wish(args.rule, args.coverage, args.shares, args.sort, fixed, args.at_most, args.force, args.unknown)
    select(sources, wish, output_path(args.output, ""))


if __name__ == "__main__":
    cli.run(main)
