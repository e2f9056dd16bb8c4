"""Decisions on disk: one JSON line each, appended under a lock and flushed before anybody goes on.

Any number of processes may write to one journal, and read what the others wrote. The last decision of a clip wins;
`undo` takes it back.
"""

import datetime
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slowfast.lists.names import video_key
from slowfast.utils.errors import InputError

CONFIRM, CORRECT, REJECT, UNDO = "confirm", "correct", "reject", "undo"


@dataclass(frozen=True)
class Decision:
    """What a person said about a clip."""

    name: str  # as the table writes it
    decision: str
    label: int = -1  # the class that is right, -1 where the clip is rejected
    given: int = -1  # the class of the table at that time
    by: str = ""  # the tab that it came from
    time: str = ""  # UTC


class Journal:
    """The decisions of a table, in `TABLE.review.jsonl`; `damaged` counts lines that could not be read."""

    def __init__(self, path: Path) -> None:
        self.path, self.damaged = path, 0
        self._read_to = 0
        self._stacks: dict[str, list[Decision]] = {}
        self._decided: dict[str, Decision] | None = None  # until something is read
        self.refresh()

    def refresh(self) -> None:
        """Read what was written since, by anyone; a last line without an end is not finished yet."""
        try:
            with open(self.path, "rb") as handle:
                if handle.seek(0, os.SEEK_END) < self._read_to:  # another journal has taken its place
                    self._read_to, self.damaged, self._stacks = 0, 0, {}
                handle.seek(self._read_to)
                added = handle.read()
        except FileNotFoundError:
            return
        whole = added[: added.rfind(b"\n") + 1]
        if whole or not self._read_to:
            self._decided = None
        self._read_to += len(whole)
        for line in whole.splitlines():
            decision = _parse(line)
            if decision is not None:
                self._take(decision)
            elif line.strip():
                self.damaged += 1

    def _take(self, decision: Decision) -> None:
        """Let a decision count."""
        stack = self._stacks.setdefault(video_key(decision.name), [])
        if decision.decision != UNDO:
            stack.append(decision)
        elif stack:
            stack.pop()

    def append(self, decision: Decision) -> Decision:
        """Put a decision on the disk, or raise InputError, and read what others wrote before it."""
        time = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        decision = Decision(**{**vars(decision), "time": time})
        line = json.dumps(vars(decision), ensure_ascii=True).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                # Whoever was killed while writing left half a line, on which nothing may follow.
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = b"\n" + line
                while line:
                    line = line[os.write(descriptor, line) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError(
                f"{self.path}: the decision is not saved ({error.strerror}); make room and repeat"
            ) from None
        self.refresh()
        return decision

    @property
    def decided(self) -> dict[str, Decision]:
        """The decisions that count, by `video_key`, the earliest first."""
        if self._decided is None:
            last = [(stack[-1].time, key, stack[-1]) for key, stack in self._stacks.items() if stack]
            self._decided = {key: decision for _, key, decision in sorted(last, key=lambda one: one[0])}
        return self._decided


def _parse(line: bytes) -> Decision | None:
    """Return the decision of a line, None where it is none."""
    try:
        plain = json.loads(line)
        known = {key: plain[key] for key in Decision.__dataclass_fields__ if key in plain}
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = Decision.__annotations__
    sound = isinstance(plain, Mapping) and all(type(value) is kinds[key] for key, value in known.items())
    named = sound and known.get("name") and known.get("decision") in (CONFIRM, CORRECT, REJECT, UNDO)
    if not named or (known["decision"] in (CONFIRM, CORRECT) and known.get("label", -1) < 0):
        return None
    return Decision(**known)
