"""Requests to stop: SIGTERM and SIGINT set a flag that loops look at between two units of work."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator

from slowfast.utils.cli import Preempted

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A launcher repeats what the terminal has sent already; only a later Ctrl-C means "at once".
_AT_ONCE_AFTER_SECONDS = 1.0


class _Request:
    """When the first signal came, or None."""

    def __init__(self) -> None:
        self.since: float | None = None

    def receive(self, number: int, _frame: object) -> None:
        """Handle a signal: the first one asks, a later SIGINT interrupts at once."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            logger.warning("%s: saving, then stopping", signal.Signals(number).name)
        elif number == signal.SIGINT and now - self.since > _AT_ONCE_AFTER_SECONDS:
            raise KeyboardInterrupt


_request = _Request()


@contextlib.contextmanager
def stop_signals() -> Iterator[None]:
    """While the body runs, SIGTERM and SIGINT only ask to stop (main thread only; elsewhere nothing changes)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _request.since = None
    before = {number: signal.signal(number, _request.receive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.since = None


def stop_requested() -> bool:
    """Return whether this process was asked to stop."""
    return _request.since is not None


def check_stop(where: str) -> None:
    """Leave the present work when asked to stop.

    Args:
        where: what is being left, for the message.

    Raises:
        Preempted: this process was asked to stop.
    """
    if stop_requested():
        raise Preempted(f"in the middle of {where}; call again to go on")


def obey_defaults() -> None:
    """Let SIGTERM and SIGINT end the process as usual, while it has nothing more to save."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
