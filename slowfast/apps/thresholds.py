"""Search of the published thresholds against known labels, and labels of a list that measure a selection.

Legend: N videos, K classes.
"""

from pathlib import Path

import numpy as np

from slowfast.apps.stages import check_class_count, load_voters, report_missing, shown
from slowfast.ensemble.fuse import weighted_mix
from slowfast.ensemble.rules import stage_rules
from slowfast.ensemble.select import ThresholdSearch, search_threshold
from slowfast.lists.names import check_unique, video_key
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of
from slowfast.utils.scores import softmax


def truth_of(names: list[str], truth_file: Path, num_classes: int, separator: str | None = None) -> np.ndarray:
    """Return the true class of every name, int64 (N,), -1 where the truth file has none."""
    true_names, true_labels = read_names(truth_file, separator)
    check_unique(true_names, shown(truth_file))
    if true_labels.max() >= num_classes:
        raise InputError(
            f"{shown(truth_file)} has the label {true_labels.max()}, but the predictions have {num_classes} classes"
        )
    label_of = dict(zip(map(video_key, true_names), true_labels.tolist()))
    truth_N = np.array([label_of.get(video_key(name), -1) for name in names], dtype=np.int64)
    if not (truth_N >= 0).any():
        raise InputError(f"{shown(truth_file)} labels none of the videos of the list; give a list with the same names")
    return truth_N


def search_all(
    list_file: Path, truth_file: Path, paths: dict[str, Path], separator: str | None = None
) -> tuple[list[ThresholdSearch], dict[str, object]]:
    """Search every class.

    Args:
        list_file: list that the predictions were made from.
        truth_file: rows `name,label`; may cover a part of the list.
        paths: predictions of the four voters.
        separator: of both lists.

    Returns:
        The searches, and the record of what they were made from and found.
    """
    rules = stage_rules(1)
    names, _ = read_names(list_file, separator)
    voters = load_voters(paths, rules, names, shown(list_file))
    check_class_count(voters, len(rules.thresholds))
    truth_N = truth_of(names, truth_file, len(rules.thresholds), separator)
    truth_N[report_missing(voters, names)] = -1
    if not (truth_N >= 0).any():
        raise InputError(f"none of the videos that {shown(truth_file)} labels has scores; check the predictions")
    probs_NK = weighted_mix({voter: softmax(p.video_preds) for voter, p in voters.items()}, rules.weights)
    searches = [search_threshold(probs_NK, truth_N, label) for label in range(probs_NK.shape[1])]
    parents = {"truth": truth_file, "list": list_file, **paths}
    record = {
        "inputs": {name: {"path": shown(path), "sha256": sha256_of(path)} for name, path in parents.items()},
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
    }
    return searches, record


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
