"""Progress lines: rate-limited, with the time left."""

import pytest

from slowfast.utils import progress
from slowfast.utils.progress import Progress, format_seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599.4, "59:59"), (3600, "1:00:00")]
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_at_most_one_line_per_interval(clock):
    lines = []
    bar = Progress(10, "decode", every=5.0, emit=lines.append)
    for _ in range(10):
        clock[0] += 2.0
        bar.update(note="loss 1.0")
    assert lines == [
        "decode: 3/10 (30 %), ETA 0:14, loss 1.0",
        "decode: 6/10 (60 %), ETA 0:08, loss 1.0",
        "decode: 9/10 (90 %), ETA 0:02, loss 1.0",
    ]


def test_short_work_prints_nothing(clock):
    lines = []
    Progress(3, "short", emit=lines.append).update(3)
    assert lines == []


def test_empty_work_has_a_line(clock):
    assert Progress(0, "none").line() == "none: 0/0 (0 %), ETA 0:00"
