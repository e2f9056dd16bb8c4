"""Frames from files, devices and network addresses as they arrive."""

import functools
import math
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import av

from slowfast.utils.errors import InputError
from slowfast.video.picture import words
from slowfast.video.pyav import TAGS, PyAVVideo
from slowfast.video.reader import VideoError
from slowfast.video.stream import StreamedFrame, StreamedVideo

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "tcp")
# What an address may lead to: no play list opens files of this machine.
_ALLOWED = "rtp,udp,tcp,tls,srtp,http,https,httpproxy,crypto"
# Without keep-alive FFmpeg 9 (in PyAV 19) takes the proper end of a chunked HTTP body for a break.
_OPTIONS = {
    "protocol_whitelist": _ALLOWED, "rtsp_transport": "tcp", "overrun_nonfatal": "1", "multiple_requests": "1",
}  # fmt: skip
# JPEG after JPEG, as many cameras send them: FFmpeg supposes 25 a second, so the times of arrival count.
_NO_CLOCK = "mpjpeg"


def open_source(source: str, patience: float = 15.0) -> StreamedVideo:
    """Open a file, a device or a network address, to be read once.

    Args:
        source: a path, a device like `/dev/video0`, or an address with one of `SCHEMES`.
        patience: seconds without data after which a device or an address counts as gone.

    Raises:
        VideoError: when nothing comes, or no video.
        InputError: when the kind of address is unknown.
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme and scheme not in SCHEMES:
        raise InputError(f"--stream {source}: {scheme}:// is not supported, give a path or one of {', '.join(SCHEMES)}")
    is_device = not scheme and os.path.exists(source) and stat.S_ISCHR(os.stat(source).st_mode)
    return LiveVideo(source, patience, is_device=is_device) if scheme or is_device else StreamedVideo(Path(source))


class LiveVideo(StreamedVideo):
    """A device or a network address; see `open_source`.

    Args:
        source: of the frames.
        patience: seconds without data.
        is_device: read through the camera interface of Linux.
    """

    def __init__(self, source: str, patience: float, *, is_device: bool) -> None:
        self._source, self._patience, self._is_device = source, patience, is_device
        PyAVVideo.__init__(self, _without_login(source), timeout=math.inf, hold_bytes=0)

    def _open(self) -> av.container.InputContainer:
        """Open the source; without a duration it is live."""
        how = {"format": "v4l2"} if self._is_device else {"options": dict(_OPTIONS)}
        try:
            container = av.open(self._source, timeout=self._patience, **how, **TAGS)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(self.path, f"no video comes from there ({words(error)})") from None
        self.live, self._has_clock = container.duration is None, container.format.name != _NO_CLOCK
        self.claimed_seconds = (container.duration or 0) / av.time_base
        return container

    def frames(self) -> Iterator[StreamedFrame]:
        """Yield all frames with their times, see `StreamedVideo`; those of arrival where the source tells none."""
        if self._has_clock:
            yield from super().frames()
            return
        begun = time.monotonic()
        for frame in self._all_frames():
            yield StreamedFrame(time.monotonic() - begun, functools.partial(self.picture.rgb, frame))


def _without_login(source: str) -> str:
    """Return an address as it may be shown: without name and password."""
    try:
        parts = urlsplit(source)
    except ValueError:
        return source.partition("://")[0] + "://..."
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
