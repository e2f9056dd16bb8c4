"""What a review knows: table, votes, decisions, who looks at which clip. Legend: N clips, K classes, V voters."""

import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.apps.review.journal import CONFIRM, CORRECT, REJECT, UNDO, Decision, Journal
from slowfast.apps.review.order import estimate, next_rows, random_order, useful_order
from slowfast.ensemble.calibration import clip_probabilities
from slowfast.ensemble.pool import table_rows
from slowfast.ensemble.predictions import load_predictions
from slowfast.lists.names import check_unique, video_key
from slowfast.lists.tables import LabelTable, read_table
from slowfast.utils.errors import InputError

# How many clips are made ready, and for how long a clip belongs to the tab that shows it, in seconds.
AHEAD, LEASE = 6, 120.0


@dataclass
class Review:
    """A table under review; `voters` have probabilities (N, K), NaN where they have none. Threads may share it."""

    table: LabelTable
    journal: Journal
    class_names: list[str]
    voters: list[tuple[str, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        votes = [np.where(np.isnan(p_NK[:, 0]), -1, np.nan_to_num(p_NK).argmax(axis=1)) for _, p_NK in self.voters]
        self._useful_N = useful_order(self.table, np.array(votes) if votes else None)
        self._random_N = random_order(self.table)
        self._orders = (self._useful_N.tolist(), self._random_N.tolist())
        self._row_of = {video_key(name): row for row, name in enumerate(self.table.names)}
        self._shown: dict[str, tuple[int, float]] = {}
        self._skipped: dict[str, set[int]] = {}
        self._lock = threading.RLock()

    def next(self, tab: str) -> dict[str, Any]:
        """Return the next clip for a tab (None when all are decided), those after it, and the state."""
        with self._lock:
            self.journal.refresh()
            now = time.monotonic()
            decided = self._decided()
            state = self._state(decided)
            taken = np.zeros(len(self.table.names), bool)
            taken[list(decided)] = True
            left = int((~taken).sum())
            taken[[row for other, (row, since) in self._shown.items() if other != tab and now - since < LEASE]] = True
            skipped = [row for row in self._skipped.get(tab, ()) if not taken[row]]
            later = taken.copy()
            later[skipped] = True
            rows = next_rows(*self._orders, later, len(decided), AHEAD + 1)
            if not rows and skipped:
                self._skipped[tab].clear()
                rows = next_rows(*self._orders, taken, len(decided), AHEAD + 1)
            self._shown.pop(tab, None)
            if rows:
                self._shown[tab] = (rows[0], now)
            clip = self.clip(rows[0]) if rows else None
            return {"clip": clip, "ahead": rows[1:], "left": left, "state": state}

    def _decided(self) -> dict[int, Decision]:
        """Return the decisions by row, without those of clips that this table does not have."""
        found = ((self._row_of.get(key), decision) for key, decision in self.journal.decided.items())
        return {row: decision for row, decision in found if row is not None}

    def clip(self, row: int) -> dict[str, Any]:
        """Return what the page shows of a clip."""
        label, probs_K = int(self.table.labels[row]), self.table.probs[row]
        others = [int(k) for k in np.argsort(-np.nan_to_num(probs_K), kind="stable") if k != label][:9]
        votes = [
            [name, int(probs_NK[row].argmax()), float(probs_NK[row].max())]
            for name, probs_NK in self.voters
            if not np.isnan(probs_NK[row]).any()
        ]
        state = self.journal.decided.get(video_key(self.table.names[row]))
        return {
            "row": row, "name": self.table.names[row], "label": label, "votes": votes,
            "confidence": float(np.nan_to_num(probs_K[label])),
            "others": [[k, float(np.nan_to_num(probs_K[k]))] for k in others],
            "before": [state.decision, state.label] if state else None,
        }  # fmt: skip

    def decide(self, tab: str, row: int, decision: str, label: int) -> None:
        """Put a decision on the disk; InputError where it makes no sense, or the disk does not take it."""
        with self._lock:
            given = int(self.table.labels[row])
            label = {CONFIRM: given, REJECT: -1}.get(decision, label)
            if decision not in (CONFIRM, CORRECT, REJECT) or not -1 <= label < len(self.class_names):
                raise InputError(f"{decision!r} with the class {label} is no decision")
            if decision == CORRECT and label < 0:
                raise InputError("a correction needs a class")
            self.journal.append(Decision(self.table.names[row], decision, label, given, tab))

    def undo(self, tab: str) -> int | None:
        """Take back the last decision of a tab; return its row, None where there is none."""
        with self._lock:
            self.journal.refresh()
            mine = [key for key, one in self.journal.decided.items() if one.by == tab and key in self._row_of]
            if not mine:
                return None
            row = self._row_of[mine[-1]]
            self.journal.append(Decision(self.table.names[row], UNDO, by=tab))
            self._shown[tab] = (row, time.monotonic())
            return row

    def skip(self, tab: str, row: int) -> None:
        """Show a clip to this tab again when the others are done."""
        with self._lock:
            self._skipped.setdefault(tab, set()).add(row)

    def state(self) -> dict[str, Any]:
        """Return counts and the estimate of the precision, with what other processes decided."""
        with self._lock:
            self.journal.refresh()
            return self._state(self._decided())

    def _state(self, decided: dict[int, Decision]) -> dict[str, Any]:
        """Return the state after decisions by row."""
        measured = estimate(self.table.labels, self._useful_N, self._random_N, decided)
        known = measured.precision == measured.precision
        kinds = Counter(one.decision for one in decided.values())
        return {
            "clips": len(self.table.names), "decided": len(decided),
            **{kind: kinds[kind] for kind in (CONFIRM, CORRECT, REJECT)},
            "unknown": len(self.journal.decided) - len(decided), "damaged": self.journal.damaged,
            "precision": measured.precision if known else None, "low": measured.low, "high": measured.high,
            "reviewed": measured.reviewed, "sampled": measured.sampled,
        }  # fmt: skip

    def state_of(self, row: int) -> list | None:
        """Return what was decided about a clip, and by which tab."""
        one = self.journal.decided.get(video_key(self.table.names[row]))
        return [one.decision, one.label, one.by] if one else None


def open_review(
    path: Path, predictions: Sequence[Path] = (), tables: Sequence[Path] = (), class_names: Sequence[str] = ()
) -> Review:
    """Read a table, its journal, and what voters and other tables say of its clips.

    Class names are by default those of the predictions. Raises InputError where classes do not fit.
    """
    table = read_table(path)
    check_unique(table.names, str(path))
    classes, names, voters = table.probs.shape[1], list(class_names), []
    for pkl in predictions:
        found = load_predictions(pkl)
        if found.video_names is None or found.num_classes != classes:
            raise InputError(f"{pkl} has no video names, or not the {classes} classes of {path}; test the model again")
        rows = table_rows(
            LabelTable(found.video_names, found.video_labels, clip_probabilities(found), str(pkl)), table.names
        )
        voters.append((pkl.parent.name, rows))
        names = names or list(found.class_names or [])
    for other in tables:
        rows = read_table(other)
        if rows.probs.shape[1] != classes:
            raise InputError(
                f"{other} has {rows.probs.shape[1]} classes, {path} has {classes}; give tables of one method"
            )
        voters.append((other.stem, table_rows(rows, table.names)))
    names = names or [f"class {index}" for index in range(classes)]
    if len(names) != classes:
        raise InputError(f"{len(names)} class names are given, {path} has {classes} classes")
    return Review(table, Journal(journal_path(path)), names, voters)


def journal_path(path: Path) -> Path:
    """Return where the decisions on a table lie."""
    return path.with_name(f"{path.name.removesuffix('.csv')}.review.jsonl")


def missing_clips(table: LabelTable, videos: Path) -> list[str]:
    """Return the clips of a table that are not there; InputError where none is there."""
    gone = [name for name in table.names if not os.path.exists(os.path.join(videos, name))]
    if len(gone) == len(table.names):
        raise InputError(f"{videos}: none of the {len(gone)} clips of {table.source} is below this folder")
    return gone
