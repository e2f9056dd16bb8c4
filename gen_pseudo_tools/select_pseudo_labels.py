"""Label-free selection of pseudo-labels, for any number of voters, rounds and classes."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from gen_pseudo_tools.stage import output_path, shown
from slowfast.ensemble.calibration import CALIBRATIONS
from slowfast.ensemble.label_free import DEFAULT_RULE, RULES, choose, rank_pool
from slowfast.ensemble.pool import Pool, build_pool
from slowfast.ensemble.predictions import load_predictions
from slowfast.lists.tables import read_names, read_table, write_table
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of, write_json
from slowfast.utils.paths import argument_path


def share(text: str) -> float:
    """Return a coverage in (0, 1]."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share above 0 and at most 1, such as 0.75")
    return value


def shares(text: str) -> list[float]:
    """Return the wanted class shares."""
    values = [float(part) for part in text.split(",")]
    if not all(np.isfinite(value) and value > 0 for value in values):
        raise argparse.ArgumentTypeError(f"{text} is not a list of positive numbers, one for each class")
    return values


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
    parser.add_argument("--tables", metavar="CSV", nargs="+", default=[], help="pseudo-label tables, oldest first")
    parser.add_argument("--list", metavar="CSV", help="the pool; default: the videos of the newest input")
    parser.add_argument("--rule", choices=list(RULES), default=DEFAULT_RULE, help=f"default {DEFAULT_RULE}. {rules}")
    parser.add_argument("--coverage", type=share, metavar="X", help="share of the pool to keep; default: the rule's")
    parser.add_argument(
        "--shares", type=shares, metavar="A,B,...", help="class shares that aligning rules aim at; default: equal"
    )
    parser.add_argument(
        "--calibration", choices=CALIBRATIONS, default=CALIBRATIONS[0], help=f"of voters; default {CALIBRATIONS[0]}"
    )
    parser.add_argument("--sort", action="store_true", help="write the most confident rows first, not in list order")
    parser.add_argument("--output", metavar="CSV", required=True, help="table to write; a JSON is written beside it")
    args = parser.parse_args()
    if not args.predictions and not args.tables:
        parser.error("give --predictions, --tables or both")
    return args


def read_pool(args: argparse.Namespace, inputs: dict[str, list[Path]]) -> Pool:
    """Read all inputs and put them side by side."""
    names = read_names(inputs["list"][0])[0] if inputs["list"] else None
    pool = build_pool(
        [load_predictions(path) for path in inputs["predictions"]],
        [read_table(path) for path in inputs["tables"]],
        names,
        args.calibration,
        args.list or "the list",
    )
    classes = pool.newest.shape[1]
    if args.shares is not None and len(args.shares) != classes:
        raise InputError(f"--shares has {len(args.shares)} numbers, but there are {classes} classes; give one for each")
    return pool


def main() -> None:
    """Rank the pool, select, write the table and what it was made from."""
    args = parse()
    given = {"predictions": args.predictions, "tables": args.tables, "list": [args.list] if args.list else []}
    inputs = {kind: [argument_path(path) for path in paths] for kind, paths in given.items()}
    output = output_path(args.output, "")
    pool = read_pool(args, inputs)
    # Before anything is written, because the output may take the place of an input.
    parents = {
        kind: [{"path": shown(path), "sha256": sha256_of(path)} for path in paths] for kind, paths in inputs.items()
    }
    ranking = rank_pool(pool.newest, pool.witnesses, args.rule, args.shares)
    rows = choose(ranking, args.coverage)
    missing = np.flatnonzero(~np.isfinite(ranking.score))
    if len(missing):
        print(
            f"warning: {len(missing)} of {len(pool.names)} videos have no scores and are never selected,"
            f" first {pool.names[missing[0]]}",
            file=sys.stderr,
        )
    if not args.sort:
        rows = np.sort(rows)
    write_table(output, [pool.names[row] for row in rows], ranking.labels[rows], ranking.probs[rows])
    per_class = np.bincount(ranking.labels[rows], minlength=pool.newest.shape[1]).tolist()
    record = {
        "rule": args.rule,
        "coverage": args.coverage,
        "shares": args.shares,
        "inputs": parents,
        "calibration": args.calibration if args.predictions else None,
        "temperatures": pool.temperatures,
        "pool": len(pool.names),
        "kept": len(rows),
        "kept_per_class": per_class,
        "without_scores": len(missing),
        "output": {"path": shown(output), "sha256": sha256_of(output)},
    }
    write_json(output.with_suffix(".json"), record)
    print(f"{args.rule}: kept {len(rows)} of {len(pool.names)} rows, written to {shown(output)}")


if __name__ == "__main__":
    cli.run(main)
