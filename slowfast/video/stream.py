"""One pass over a video of any length: every frame once, in order, none held."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from slowfast.lists.names import find_file
from slowfast.video.pyav import PyAVVideo
from slowfast.video.reader import check_file

# Frames per second that are assumed where a file has neither a rate nor timestamps.
ASSUMED_FPS = 25.0
# A step beyond the end that the header claims by this much is a fault of the clock, not a pause, seconds.
_BEYOND = 10.0
# The same of a step of more than a day: MPEG's clock starts over after 26.5 hours.
_LONGEST_PAUSE = 86400.0
# A step of this many frame periods is a pause of the camera, which the average frame rate contains.
_PAUSE = 3.0


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

    Attributes:
        live: frames come at their own pace and do not wait for the reader.
        broken: why it gave no more, when that was not its end.
    """

    live = False

    def __init__(self, path: str | Path) -> None:
        path = find_file(path)
        check_file(path)
        super().__init__(path, timeout=math.inf, hold_bytes=0)

    @functools.cached_property
    def tick(self) -> float:
        """Unit of the timestamps, seconds: Matroska's are whole milliseconds."""
        return float(self.first.time_base or 0)

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
        clock = Clock(self.fps or ASSUMED_FPS, self.claimed_seconds)
        for frame in self._all_frames():
            yield StreamedFrame(clock.time_of(frame.time), functools.partial(self.picture.rgb, frame))


class Clock:
    """Times of frames from their timestamps, and from the frame rate where these are missing or run wrong.

    Once a timestamp is missing, goes back or jumps beyond the end of the video, the rate alone counts for the rest of
    the file, behind the pauses that were seen until then.

    Args:
        fps: frames per second.
        claimed_seconds: duration that the header claims, 0.0 for none.
    """

    def __init__(self, fps: float, claimed_seconds: float = 0.0) -> None:
        self.fps = fps
        self._end = claimed_seconds + _BEYOND if claimed_seconds else math.inf
        self._count = 0
        self._first: float | None = None
        self._last = self._paused = 0.0
        self._trusted = True

    def time_of(self, stamp: float | None) -> float:
        """Return the seconds from the first frame to the next one, whose timestamp is given."""
        if self._count == 0:
            self._first = stamp
        elif self._trusted and stamp is not None:
            step = stamp - self._first - self._last
            self._trusted = 0 < step <= _LONGEST_PAUSE and stamp - self._first <= self._end
            if self._trusted and step > _PAUSE / self.fps:
                self._paused += step - 1 / self.fps
        self._trusted = self._trusted and stamp is not None
        time = stamp - self._first if self._trusted else self._count / self.fps + self._paused
        self._count += 1
        self._last = max(self._last, time)
        return self._last


def resample(
    frames: Iterator[StreamedFrame], fps: float, source_fps: float, tick: float = 0.0
) -> Iterator[StreamedFrame]:
    """Yield the frame on show at every multiple of 1 / fps: frames are dropped or repeated, nothing is re-encoded.

    Args:
        frames: frames in order.
        fps: wanted frames per second.
        source_fps: frames per second of the source; the last frame is shown for a period, or as long as the one before.
        tick: seconds to which the times are rounded. As much is forgiven, and a millisecond in any case (the unit of
            Matroska, which a file keeps that becomes an MP4), so that an equal rate gives every frame once.

    Yields:
        The given frames with their new times; a repeated frame has the same `rgb`.
    """
    # Times in units as long as frames (AVI) are not rounded.
    forgiven = min(0.45, fps * max(1e-3, tick if tick * source_fps < 0.5 else 0.0))
    count, shown, period = 0, None, 1 / source_fps
    for frame in frames:
        if shown is not None:
            end = math.ceil(frame.time * fps - forgiven)
            yield from _repeat(shown, fps, count, end)
            count = max(count, end)
            period = frame.time - shown.time
        shown = frame
    if shown is not None:
        period = min(period, 1 / source_fps) or 1 / source_fps
        yield from _repeat(shown, fps, count, math.ceil((shown.time + period) * fps - min(0.45, 2 * forgiven)))


def _repeat(frame: StreamedFrame, fps: float, count: int, end: int) -> Iterator[StreamedFrame]:
    """Yield a frame for every multiple of the period from number `count` up to number `end`."""
    for number in range(count, end):
        yield StreamedFrame(number / fps, frame.rgb)
