"""From decisions to a corrected table and a list of corrections, with what they were made from."""

import json
from pathlib import Path

import numpy as np

from slowfast.apps.review.journal import CONFIRM, CORRECT, REJECT
from slowfast.apps.review.state import Review
from slowfast.apps.stages import shown
from slowfast.lists.names import video_key
from slowfast.lists.rows import quoted
from slowfast.lists.tables import write_table
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of, write_json, write_text


def export(review: Review, source: Path, output: Path) -> dict[str, int]:
    """Write the corrected table, a JSON beside it, and `<output>_corrections.csv` for `--fixed`.

    A decided clip has probability 1 for its class, so that it outweighs; a rejected one is left out; what nobody
    looked at stays as it is. Returns counts; raises InputError where there is no decision, no row is left, or the
    table itself would be overwritten.
    """
    table, decided = review.table, review.journal.decided
    journal = review.journal.path
    if not decided:
        raise InputError(f"{journal}: no decision is there yet; review the table first")
    if output.resolve() == source.resolve():
        raise InputError(f"{output}: this is the table under review; give another name, its decisions belong to it")
    # Before anything is written, because an output may take the place of an input's record.
    inputs = {
        kind: [{"path": shown(p), "sha256": sha256_of(p)}] for kind, p in (("table", source), ("journal", journal))
    }
    states = [decided.get(video_key(name)) for name in table.names]
    labels_N = np.array([state.label if state else label for state, label in zip(states, table.labels)], np.int64)
    looked_N = np.array([state is not None for state in states])
    probs_NK = table.probs.copy()
    probs_NK[looked_N] = np.eye(probs_NK.shape[1])[labels_N[looked_N]]
    kept = np.flatnonzero(labels_N >= 0)
    if not len(kept):
        raise InputError(f"{source}: every clip was rejected, so there is nothing to train on")
    write_table(output, [table.names[row] for row in kept], labels_N[kept], probs_NK[kept])
    corrections = output.with_name(f"{output.stem}_corrections.csv")
    rows = [(table.names[row], labels_N[row]) for row in np.flatnonzero(looked_N)]
    write_text(corrections, "".join(f"{quoted(name)},{label}\n" for name, label in rows))
    state = review.state()
    counts = {kind: state[kind] for kind in (CONFIRM, CORRECT, REJECT)}
    counts |= {"undecided": int((~looked_N).sum()), "of_other_clips": state["unknown"], "damaged": state["damaged"]}
    precision = {key: state[key] for key in ("precision", "low", "high", "reviewed", "sampled")}
    record = {
        "inputs": inputs,
        "reviewed": counts,
        "measured_precision": precision,
        **{key: value for key, value in _before(source).items() if key in ("pool", "rule", "coverage")},
        "kept": len(kept),
        "kept_per_class": np.bincount(labels_N[kept], minlength=probs_NK.shape[1]).tolist(),
        "corrections": {"path": shown(corrections), "sha256": sha256_of(corrections)},
        "output": {"path": shown(output), "sha256": sha256_of(output)},
    }
    write_json(output.with_suffix(".json"), record)
    return counts


def _before(source: Path) -> dict:
    """Return the record of the table under review, nothing where there is none."""
    try:
        record = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
