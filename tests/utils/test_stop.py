"""SIGTERM and SIGINT ask to stop; a later Ctrl-C stops at once."""

import os
import signal
import threading

import pytest

from slowfast.utils import stop
from slowfast.utils.cli import Preempted


@pytest.mark.parametrize("number", stop.SIGNALS)
def test_a_signal_is_a_request(number):
    before = signal.getsignal(number)
    with stop.stop_signals():
        stop.check_stop("anything")
        assert not stop.stop_requested()
        os.kill(os.getpid(), number)
        assert stop.stop_requested()
        with pytest.raises(Preempted, match="the middle of a test"):
            stop.check_stop("a test")
    assert not stop.stop_requested() and signal.getsignal(number) is before


def test_the_same_request_twice_is_one(monkeypatch):
    with stop.stop_signals():
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        monkeypatch.setattr(stop, "_AT_ONCE_AFTER_SECONDS", -1.0)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_other_threads_leave_signals_alone():
    seen = []

    def work():
        with stop.stop_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
