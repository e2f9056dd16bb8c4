"""Log lines on the terminal and in `stdout.log`."""

import logging
import sys
from pathlib import Path

from slowfast.utils.files import visible

_FORMAT = "[%(asctime)s][%(levelname)s] %(message)s"


class _LogFile(logging.FileHandler):
    """A log file that gives up quietly when the disk is full: what matters is written elsewhere, and reported."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Drop the line."""


class _Lines(logging.Formatter):
    """Lines in which terminal codes, of file names say, are spelled out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return visible(super().format(record))


def setup_logging(folder: str | Path | None = None, *, main_process: bool = True) -> None:
    """Send the package's log to stderr and, given a folder, append it to `<folder>/stdout.log`.

    Args:
        folder: where `stdout.log` goes, or None for the terminal only.
        main_process: other processes of one job log warnings only, to stderr.
    """
    root = logging.getLogger("slowfast")
    root.handlers.clear()
    root.propagate = False
    root.setLevel(logging.INFO if main_process else logging.WARNING)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if folder is not None and main_process:
        Path(folder).mkdir(parents=True, exist_ok=True)
        handlers.append(_LogFile(Path(folder) / "stdout.log", encoding="utf-8", errors="backslashreplace"))
    for handler in handlers:
        handler.setFormatter(_Lines(_FORMAT, datefmt="%m/%d %H:%M:%S"))
        root.addHandler(handler)


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module of this package."""
    return logging.getLogger(name if name.startswith("slowfast") else f"slowfast.{name}")


def log_traceback(error: BaseException) -> str:
    """Write an error with its traceback to the log files alone and return the name of one, or an empty text."""
    files = [handler for handler in logging.getLogger("slowfast").handlers if isinstance(handler, _LogFile)]
    info = (type(error), error, error.__traceback__)
    for handler in files:
        handler.handle(logging.LogRecord("slowfast", logging.ERROR, __file__, 0, "%s", (error,), info))
    return files[0].baseFilename if files else ""
