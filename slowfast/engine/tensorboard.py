"""TensorBoard curves; a run that goes on hides what it will write again."""

from pathlib import Path
from typing import Any


class ScalarWriter:
    """Writes scalars to event files.

    Args:
        folder: where the files go; None writes nothing.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = folder
        self._writer: Any = None

    def start(self, step: int) -> None:
        """Open a new file whose curves go on after `step` iterations."""
        if self.folder is None:
            return
        # Imported late: it takes seconds.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=step + 1 if step else None)

    def add(self, name: str, value: float, step: int) -> None:
        """Add a point of a curve."""
        if self._writer is not None:
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write everything to disk."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
