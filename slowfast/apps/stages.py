"""The published pseudo-label stages: read four PKLs and a list, vote, select, write the table and its JSON."""

import argparse
import sys
from pathlib import Path

import numpy as np

from slowfast.ensemble.fuse import join_voters, unexpected_kinds, weighted_mix
from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.ensemble.provenance import check_voters, made_of_vote
from slowfast.ensemble.rules import StageRules, stage_rules
from slowfast.ensemble.select import select_by_thresholds
from slowfast.lists.rows import add_separator_argument
from slowfast.lists.tables import read_names, write_table
from slowfast.parents import write_record
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of, write_json
from slowfast.utils.paths import REPO_ROOT, argument_path, repo_path
from slowfast.utils.scores import softmax

VOTERS = ("ssv2", "uni", "mvit", "sf")


def shown(path: Path) -> str:
    """Return a path as it is recorded: relative to the repository where it lies inside."""
    return str(path.relative_to(REPO_ROOT)) if path.is_relative_to(REPO_ROOT) else str(path)


def input_path(given: str | None, default: str) -> Path:
    """Return the path given on the command line, else the default one in the repository."""
    return argument_path(given) if given is not None else repo_path(default)


def output_path(given: str | None, default: str) -> Path:
    """Return where to write: a given path from the current directory, else the default one in the repository."""
    path = Path(given).expanduser().absolute() if given is not None else repo_path(default)
    if path.suffix == ".json" or path.is_dir():
        raise InputError(f"--output {given} must be a CSV file, because a JSON of the same name is written beside it")
    return path


def add_voter_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add `--ssv2`, `--uni`, `--mvit`, `--sf`."""
    for voter in VOTERS:
        default = "" if required else "; default: the round before"
        parser.add_argument(f"--{voter}", metavar="PKL", required=required, help=f"predictions of {voter}{default}")


def add_mixed_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--mixed`."""
    parser.add_argument(
        "--mixed", action="store_true", help="take voters of different rounds, lists, clips or gamma, with a warning"
    )


def load_voters(
    paths: dict[str, Path],
    rules: StageRules,
    names: list[str],
    source: str,
    *,
    mixed: bool = False,
    of_round: int | None = None,
) -> dict[str, Predictions]:
    """Return the voters' predictions in list order; what is odd but not wrong goes to stderr."""
    for voter, path in paths.items():
        if not path.exists():
            raise InputError(
                f"{shown(path)} does not exist, but --{voter} needs it; make the predictions of the round before"
                " first (bash exp_*/MODEL/test.sh) or give another file"
            )
    voters = {voter: load_predictions(path) for voter, path in paths.items()}
    check_voters(list(voters.values()), mixed=mixed, of_round=of_round)
    for sentence in unexpected_kinds(voters, rules.score_kinds):
        print(f"warning: {sentence}", file=sys.stderr)
    return join_voters(voters, names, source)


def report_missing(voters: dict[str, Predictions], names: list[str]) -> np.ndarray:
    """Return bool (N,) of the rows that some voter has no scores for, and name them on stderr."""
    missing_N = np.any([predictions.missing for predictions in voters.values()], axis=0)
    rows = np.flatnonzero(missing_N)
    if len(rows):
        which = ", ".join(names[row] for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        print(
            f"warning: {len(rows)} of {len(names)} videos have no scores (NaN) and are never selected: {which}",
            file=sys.stderr,
        )
    return missing_N


def check_class_count(voters: dict[str, Predictions], expected: int) -> None:
    """Refuse predictions that the published tables do not fit."""
    first = next(iter(voters.values()))
    if first.num_classes != expected:
        raise InputError(
            f"{first.source} has {first.num_classes} classes, but the published rules are for {expected};"
            " use gen_pseudo_tools/select_pseudo_labels.py for other classes"
        )


def generate(stage: int, args: argparse.Namespace) -> int:
    """Make the pseudo-label table of one stage and return the number of rows kept."""
    rules = stage_rules(stage)
    list_file = input_path(args.list, "data/total_unlabel.csv")
    output = output_path(args.output, f"data/pseudo/stage{stage}.csv")
    paths = {voter: input_path(getattr(args, voter), rules.inputs[voter]) for voter in VOTERS}
    names, _ = read_names(list_file, args.separator)
    voters = load_voters(paths, rules, names, shown(list_file), mixed=args.mixed, of_round=stage - 1)
    check_class_count(voters, len(rules.thresholds))
    missing_N = report_missing(voters, names)
    probs_NK = weighted_mix({voter: softmax(p.video_preds) for voter, p in voters.items()}, rules.weights)
    labels_N, kept_N = select_by_thresholds(probs_NK, rules.thresholds)
    kept_N &= ~missing_N
    if not kept_N.any():
        raise InputError(
            f"stage {stage} selects none of the {len(names)} rows of {shown(list_file)}, so {shown(output)} is not"
            " written; check the predictions or use gen_pseudo_tools/select_pseudo_labels.py"
        )
    rows = np.flatnonzero(kept_N)
    record = {
        "stage": stage,
        "list": {"path": shown(list_file), "sha256": sha256_of(list_file)},
        "inputs": {
            voter: {"path": shown(path), "sha256": sha256_of(path), "score_kind": voters[voter].score_kind}
            for voter, path in paths.items()
        },
        "weights": {
            "usual": dict(rules.weights.usual),
            "anchor": rules.weights.anchor,
            "anchor_labels": list(rules.weights.anchor_labels),
            "anchored": dict(rules.weights.anchored),
        },
        "thresholds": list(rules.thresholds),
        "pool": len(names),
        "kept": len(rows),
        "kept_per_class": np.bincount(labels_N[rows], minlength=len(rules.thresholds)).tolist(),
        "without_scores": [names[row] for row in np.flatnonzero(missing_N)],
    }
    files = {**paths, "list": list_file}
    made_of = made_of_vote("table", files, {key: record[key] for key in ("stage", "weights", "thresholds")})
    write_table(output, [names[row] for row in rows], labels_N[rows], probs_NK[rows])
    record["output"] = {"path": shown(output), "sha256": sha256_of(output)}
    write_json(output.with_suffix(".json"), record)
    write_record(output, made_of, files)
    print(f"stage {stage}: kept {len(rows)} of {len(names)} rows, written to {shown(output)}")
    return len(rows)


def run_stage(stage: int) -> None:
    """Parse the arguments of a stage tool and run it."""

    def main() -> None:
        before = stage_rules(stage).inputs["ssv2"].split("/")[0]
        parser = cli.make_parser(
            f"Pseudo-labels of stage {stage}: the published vote over four models and its thresholds.",
            f"python gen_pseudo_tools/generate_pseudo_label_stage{stage}.py --output data/pseudo/stage{stage}.csv",
        )
        parser.add_argument("--list", metavar="CSV", help="rows `name,label`; default data/total_unlabel.csv")
        add_separator_argument(parser)
        add_voter_arguments(parser, required=False)
        add_mixed_argument(parser)
        parser.add_argument(
            "--output", metavar="CSV", help=f"default data/pseudo/stage{stage}.csv; a JSON is written beside it"
        )
        parser.description += f" The default PKLs are those of {before}."
        generate(stage, parser.parse_args())

    cli.run(main)
