"""`metrics.jsonl`: one JSON object per line, cut back to the last checkpoint on resume."""

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

from slowfast.engine.hooks import Hook
from slowfast.utils.files import sha256_of

logger = logging.getLogger(__name__)


class MetricsLog(Hook):
    """Append-only list of measurements of a run.

    Wall-clock times are left to `stdout.log`, so that a resumed run writes the same bytes as an undisturbed one.

    Args:
        path: the file, or None for a process that does not write.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = Path(path) if path is not None else None

    def write(self, kind: str, **values: Any) -> None:
        """Append `{"_type": kind, **values}`; values that are not finite become null."""
        if self.path is None:
            return
        record = {"_type": kind, **{key: _plain(value) for key, value in values.items()}}
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(record) + "\n")

    def record(self, trainer: Any, kind: str, values: dict[str, Any]) -> None:
        """Append a record."""
        self.write(kind, **values)

    def state_dict(self) -> dict[str, Any]:
        """Return how far the file is written, and the digest of that."""
        return {"metrics_position": self.position(), "metrics_digest": self.digest()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Cut the file back to what it was."""
        self.cut(int(state.get("metrics_position", 0)), state.get("metrics_digest", ""))

    def position(self) -> int:
        """Return the length of the file in bytes, which are on the disk then."""
        if self.path is None or not self.path.exists():
            return 0
        with open(self.path, "ab") as handle:
            os.fsync(handle.fileno())
            return handle.tell()

    def digest(self) -> str:
        """Return the SHA-256 of what is written so far."""
        return sha256_of(self.path) if self.path is not None and self.path.exists() else ""

    def cut(self, position: int, digest: str = "") -> None:
        """Drop everything after `position` bytes; what is left should have the digest, if one is given."""
        if self.path is None:
            return
        if self.path.exists():
            os.truncate(self.path, min(position, self.path.stat().st_size))
        if digest and digest != self.digest():
            logger.warning("%s was changed or damaged since it was written; the run goes on after it", self.path)


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold, floats with 7 significant digits."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value
