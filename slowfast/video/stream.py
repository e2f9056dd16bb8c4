"""One pass over a video of any length: every frame once, in order, none held."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from slowfast.video.pyav import PyAVVideo
from slowfast.video.reader import check_file

# Frames per second that are assumed where a file has neither a rate nor timestamps.
ASSUMED_FPS = 25.0
# A larger step from one timestamp to the next is a fault of the clock, not a pause, seconds.
LONGEST_PAUSE = 10.0


@dataclass(frozen=True)
class StreamedFrame:
    """One frame that has been decoded but not converted yet.

    Args:
        time: seconds since the first frame; never decreases.
        rgb: gives uint8 (H, W, 3).
    """

    time: float
    rgb: Callable[[], np.ndarray]


class StreamedVideo(PyAVVideo):
    """A video that is read once from start to end with the memory of a single frame.

    The frames are those of `open_video`, whichever backend is chosen there.

    Args:
        path: the file.

    Raises:
        VideoError: when the file is missing, damaged, or holds no video.
    """

    def __init__(self, path: str | Path) -> None:
        check_file(path)
        super().__init__(path, timeout=math.inf, hold_bytes=0)

    @functools.cached_property
    def claimed_seconds(self) -> float:
        """Duration that the header claims (0.0: none); for estimates of the time left only."""
        with self._open() as container:
            return (container.duration or 0) / av.time_base

    def frames(self) -> Iterator[StreamedFrame]:
        """Yield all frames that can be decoded; `problems` says afterwards what could not.

        Raises:
            VideoError: when there is none.
        """
        clock = Clock(self.fps or ASSUMED_FPS)
        for frame in self._all_frames():
            self._size = self._size or (frame.width, frame.height)
            yield StreamedFrame(clock.time_of(frame.time), functools.partial(self._to_rgb, frame))


class Clock:
    """Times of frames from their timestamps, and from the frame rate where these are missing or run wrong.

    Once a timestamp is missing, goes back or jumps far ahead, the rate alone counts for the rest of the file.

    Args:
        fps: frames per second.
    """

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self._count = 0
        self._first: float | None = None
        self._last = 0.0
        self._trusted = True

    def time_of(self, stamp: float | None) -> float:
        """Return the seconds from the first frame to the next one, whose timestamp is given."""
        if self._count == 0:
            self._first = stamp
        elif self._trusted and stamp is not None:
            step = stamp - self._first - self._last
            self._trusted = 0 < step <= LONGEST_PAUSE
        self._trusted = self._trusted and stamp is not None
        time = stamp - self._first if self._trusted else self._count / self.fps
        self._count += 1
        self._last = max(self._last, time)
        return self._last


def resample(frames: Iterator[StreamedFrame], fps: float, source_fps: float) -> Iterator[StreamedFrame]:
    """Yield the frame on show at every multiple of 1 / fps: frames are dropped or repeated, nothing is re-encoded.

    Args:
        frames: frames in order.
        fps: wanted frames per second.
        source_fps: frames per second of the source; its last frame is shown for one period.

    Yields:
        The given frames with their new times; a repeated frame has the same `rgb`.
    """
    count = 0
    shown = None
    for frame in frames:
        if shown is not None:
            yield from _repeat(shown, fps, count, frame.time)
            count = max(count, _first_after(frame.time, fps))
        shown = frame
    if shown is not None:
        yield from _repeat(shown, fps, count, shown.time + 1 / source_fps)


def _repeat(frame: StreamedFrame, fps: float, count: int, end: float) -> Iterator[StreamedFrame]:
    """Yield a frame for every multiple of the period from number `count` up to `end` seconds."""
    for number in range(count, _first_after(end, fps)):
        yield StreamedFrame(number / fps, frame.rgb)


def _first_after(seconds: float, fps: float) -> int:
    """Return the first multiple of 1 / fps at or after a time; timestamps are rounded, so a thousandth is forgiven."""
    return math.ceil(seconds * fps - 1e-3)
