"""Search of the thresholds per class against known labels."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from gen_pseudo_tools.stage import VOTERS, add_voter_arguments, check_class_count, load_voters, report_missing, shown
from slowfast.ensemble.fuse import check_unique, softmax, weighted_mix
from slowfast.ensemble.rules import stage_rules
from slowfast.ensemble.select import ThresholdSearch, search_threshold
from slowfast.lists.tables import read_names
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of, write_json
from slowfast.utils.paths import argument_path


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = cli.make_parser(
        "Search, for every class, the smallest threshold with the highest precision against known labels."
        " Labels are used here: for selection without labels see select_pseudo_labels.py.",
        "python gen_pseudo_tools/select_thresholds.py --truth data/arid.csv --list data/total_unlabel.csv"
        " --ssv2 A.pkl --uni B.pkl --mvit C.pkl --sf D.pkl --json thresholds.json",
    )
    parser.add_argument("--truth", metavar="CSV", required=True, help="rows `name,label`; may cover a part of the list")
    parser.add_argument("--list", metavar="CSV", required=True, help="list that the predictions were made from")
    add_voter_arguments(parser, required=True)
    parser.add_argument("--json", metavar="FILE", help="write everything there as well")
    return parser.parse_args()


def truth_of(names: list[str], truth_file: Path, num_classes: int) -> np.ndarray:
    """Return the true class of every name, int64 (N,), -1 where the truth file has none."""
    true_names, true_labels = read_names(truth_file)
    check_unique(true_names, shown(truth_file))
    if true_labels.max() >= num_classes:
        raise InputError(
            f"{shown(truth_file)} has the label {true_labels.max()}, but the predictions have {num_classes} classes"
        )
    label_of = dict(zip(true_names, true_labels.tolist()))
    truth_N = np.array([label_of.get(name, -1) for name in names], dtype=np.int64)
    if not (truth_N >= 0).any():
        raise InputError(f"{shown(truth_file)} labels none of the videos of the list; give a list with the same names")
    return truth_N


def show(searches: list[ThresholdSearch]) -> None:
    """Print one line per class."""
    print("class  threshold  selected  correct  precision  coverage  recall     F1")
    for search in searches:
        best = search.optimum
        if best is None:
            reason = "no labelled row" if search.num_real == 0 else "never predicted right"
            print(f"{search.label:5d}  ({reason})")
            continue
        print(
            f"{search.label:5d}  {best.th:9.3f}  {best.selected:8d}  {best.correct:7d}  {best.precision:9.4f}"
            f"  {best.coverage:8.4f}  {best.recall:6.4f}  {best.f1:5.4f}"
        )


def main() -> None:
    """Search every class and report."""
    args = parse()
    rules = stage_rules(1)
    list_file, truth_file = argument_path(args.list), argument_path(args.truth)
    paths = {voter: argument_path(getattr(args, voter)) for voter in VOTERS}
    names, _ = read_names(list_file)
    voters = load_voters(paths, rules, names, shown(list_file))
    check_class_count(voters, len(rules.thresholds))
    truth_N = truth_of(names, truth_file, len(rules.thresholds))
    truth_N[report_missing(voters, names)] = -1
    if not (truth_N >= 0).any():
        raise InputError(f"none of the videos that {shown(truth_file)} labels has scores; check the predictions")
    probs_NK = weighted_mix({voter: softmax(p.video_preds) for voter, p in voters.items()}, rules.weights)
    searches = [search_threshold(probs_NK, truth_N, label) for label in range(probs_NK.shape[1])]
    show(searches)
    if args.json is None:
        return
    write_json(
        Path(args.json).expanduser().absolute(),
        {
            "inputs": {
                name: {"path": shown(path), "sha256": sha256_of(path)}
                for name, path in {"truth": truth_file, "list": list_file, **paths}.items()
            },
            "labelled_rows": int((truth_N >= 0).sum()),
            "thresholds": {str(s.label): s.optimum.th if s.optimum else None for s in searches},
            "threshold_search": {
                str(s.label): {
                    "num_real": s.num_real,
                    "optimum": s.optimum.as_dict() if s.optimum else None,
                    "best_f1": s.best_f1.as_dict() if s.best_f1 else None,
                    "improvements": [point.as_dict() for point in s.improvements],
                }
                for s in searches
            },
        },
    )


if __name__ == "__main__":
    cli.run(main)
