"""Progress with an estimate of the time left, one line every few seconds, or one that moves."""

import shutil
import sys
import time
from typing import TextIO

from slowfast.utils.files import visible


def format_seconds(seconds: float) -> str:
    """Return a duration as `1:02:03` or `2:03`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress:
    """Print `label done/total percent ETA` to stderr, at most once every `every` seconds.

    Args:
        total: number of units of work.
        label: what is being done.
        every: seconds between two lines; nothing is printed before the first interval has passed.
        emit: where a line goes; default stderr.
    """

    def __init__(self, total: int, label: str, *, every: float = 5.0, emit=None) -> None:
        self.total, self.label, self.every = total, label, every
        self.done = 0
        self.start = self.last = time.monotonic()
        self.emit = emit or (lambda line: print(line, file=sys.stderr, flush=True))

    def update(self, count: int = 1, note: str = "") -> None:
        """Count `count` finished units and print a line when one is due."""
        self.done += count
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            self.emit(self.line(note))

    def line(self, note: str = "") -> str:
        """Return the present state as one line."""
        spent = time.monotonic() - self.start
        left = spent / max(self.done, 1) * (self.total - self.done)
        share = 100.0 * self.done / max(self.total, 1)
        text = f"{self.label}: {self.done}/{self.total} ({share:.0f} %), ETA {format_seconds(left)}"
        return f"{text}, {note}" if note else text


class MovingLine:
    """One line that is written anew in its place on a terminal; elsewhere a line now and then.

    Args:
        stream: where it goes; default standard output.
        every: seconds between two lines where nothing can be rewritten.
    """

    def __init__(self, stream: TextIO | None = None, *, every: float = 30.0) -> None:
        self.stream = stream or sys.stdout
        self.moves, self.every = self.stream.isatty(), every
        self.last, self.width = time.monotonic(), 0

    def show(self, text: str, *, due: bool = False) -> None:
        """Show a text; with `due` also where it becomes a line of its own."""
        now = time.monotonic()
        if self.moves:
            text = visible(text)[: shutil.get_terminal_size().columns - 1]
            self._rewrite(text)
            self.width = len(text)
        elif due or now - self.last >= self.every:
            self.last = now
            print(text, file=self.stream, flush=True)

    def above(self, text: str) -> None:
        """Print a text that stays, above the line."""
        self.end()
        print(text, file=self.stream, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self.width:
            self._rewrite("")
            self.width = 0
            self._rewrite("")

    def _rewrite(self, text: str) -> None:
        """Write over the line; past the stream, which spells terminal codes out."""
        self.stream.flush()
        self.stream.buffer.write(f"\r{text.ljust(self.width)}".encode(self.stream.encoding, "backslashreplace"))
        self.stream.buffer.flush()
