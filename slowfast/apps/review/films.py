"""Clips made ready for the page before it asks for them."""

import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from slowfast.apps.films import write_film

KEPT = 64


class Films:
    """Small clips of the videos of a table, the last ones kept in memory."""

    def __init__(self, paths: Sequence[str], gamma: float) -> None:
        self.paths, self.gamma = paths, gamma
        self._workers = ThreadPoolExecutor(max_workers=max(1, min(2, os.cpu_count() or 1)))
        self._films: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._lock = Lock()

    def ahead(self, rows: Sequence[int]) -> None:
        """Begin to make clips, the first one first."""
        for row in rows:
            self._future(row)

    def get(self, row: int) -> bytes:
        """Return a clip as MP4, or raise the VideoError of its video."""
        return self._future(row).result()

    def _future(self, row: int) -> "Future[bytes]":
        with self._lock:
            if row not in self._films:
                self._films[row] = self._workers.submit(self._make, row)
            self._films.move_to_end(row)
            while len(self._films) > KEPT:
                self._films.popitem(last=False)
            return self._films[row]

    def _make(self, row: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "clip.mp4")
            write_film(self.paths[row], target, self.gamma, frames=60, size=(320, 240))
            return target.read_bytes()
