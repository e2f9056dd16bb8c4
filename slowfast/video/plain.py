"""Alternative decoders for plain files; everything else goes to the reference, so that all backends agree.

Decord and torchcodec give the frames of PyAV, value for value, for 8-bit files in MP4 or Matroska whose timestamps are
in order and without gaps. They differ from it or fail on AVI, MPEG and transport streams, edit lists, more than 8 bits,
odd sizes, several video streams, mirrored or turned pictures, interlaced frames, MPEG-4 Part 2 (rounding that adds
up), HEVC, most damaged files and files that lack packets. Counting needs a whole decode anyway (headers lie), so a
plain file is decoded once from start to end and its frames are kept; where that is too much, PyAV reads it too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np

from slowfast.video.pyav import HOLD_BYTES, PyAVVideo, open_container, shortfall
from slowfast.video.reader import DEFAULT_TIMEOUT, VideoError

_CODECS = ("h264", "vp8", "mjpeg")
_PIXELS = ("yuv420p", "yuvj420p")
_CONTAINERS = ("mov", "matroska")
_MIN_SIDE = 32
# Steps between frames, over the usual short one, from which packets may be missing: decoders fill holes differently.
_GAP = 1.5


class PlainVideo:
    """A video decoded by `decode` where the file is plain, else by PyAV; see `slowfast.video.reader.Video`.

    Args:
        path: a regular file.
        decode: from (path, number of frames) to all frames as uint8 (T, H, W, 3); any exception hands over to PyAV.
        timeout: seconds that decoding with PyAV may take.
    """

    def __init__(
        self, path: str | Path, decode: Callable[[str, int], np.ndarray], timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self.path = str(path)
        self._decode = decode
        self._reference: PyAVVideo | None = PyAVVideo(path, timeout=timeout)
        self._frames_THWC: np.ndarray | None = None
        self._fps = self._reference.fps
        self._asked = False
        # Why a plain file was not decoded by `decode`, in words.
        self.handed_over = ""

    @property
    def fps(self) -> float:
        """Average frames per second, 0.0 where the file does not say."""
        return self._fps

    @property
    def problems(self) -> str:
        """What could not be decoded, in words; empty for a sound file."""
        return self._reference.problems if self._reference is not None else ""

    def __len__(self) -> int:
        self._load()
        return len(self._reference if self._reference is not None else self._frames_THWC)

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the frames of `indices` (any order, repeats allowed) as uint8 (T, H, W, 3) RGB.

        Raises:
            IndexError: when an index lies outside 0 .. len - 1.
            VideoError: when the file cannot be decoded.
        """
        self._load()
        if self._reference is not None:
            return self._reference.get_frames(indices)
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        length = len(self._frames_THWC)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= length):
            raise IndexError(
                f"{self.path}: frames {wanted.min()} to {wanted.max()} were asked for, it has 0 to {length - 1}"
            )
        return self._frames_THWC[wanted]

    def close(self) -> None:
        """Free the decoder and its frames."""
        if self._reference is not None:
            self._reference.close()
        self._frames_THWC = None

    def __enter__(self) -> "PlainVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load(self) -> None:
        """Decode a plain file; from then on either the frames or the reference is there."""
        if self._asked:
            return
        self._asked = True
        first, picture = self._reference.first, self._reference.picture
        length = plain_length(self.path)
        if not length or any(picture.orientation) or first.interlaced_frame:
            return
        try:
            frames_THWC = self._decode(self.path, length)
        except Exception as error:  # decoders raise types of their own; the reference finds the reason
            self.handed_over = " ".join(str(error).split())[:200] or type(error).__name__
            return
        if len(frames_THWC) != length:
            self.handed_over = "it counts other frames than the file has"
            return
        # The padding of lines becomes a channel for some widths, which only the frames tell.
        if not np.array_equal(frames_THWC[0], picture.rgb(first)):
            self.handed_over = "it gives other pixels for the first frame"
            return
        self._reference.close()
        self._reference, self._frames_THWC = None, frames_THWC


def plain_length(path: str | Path) -> int:
    """Return the number of frames of a plain file that is small enough to keep decoded, 0 for any other.

    Raises:
        VideoError: when the file cannot be opened.
    """
    try:
        container = open_container(path)
    except av.error.FFmpegError as error:
        raise VideoError(path, f"no video container that can be read ({error.strerror})") from None
    with container:
        if len(container.streams.video) != 1 or not container.format.name.startswith(_CONTAINERS):
            return 0
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec is None or codec.name not in _CODECS or codec.pix_fmt not in _PIXELS:
            return 0
        if codec.width % 2 or codec.height % 2 or min(codec.width, codec.height) < _MIN_SIDE:
            return 0
        try:
            packets = [packet for packet in container.demux(stream) if packet.size]
        except av.error.FFmpegError:
            return 0
        times = {packet.pts for packet in packets}
        sound = not any(packet.is_discard or packet.is_corrupt for packet in packets)
        in_order = len(times) == len(packets) and None not in times
        if not (packets and sound and in_order and packets[0].is_keyframe):
            return 0
        fits = len(packets) * codec.width * codec.height * 3 <= HOLD_BYTES
        whole = stream.frames in (0, len(packets))
        steps = np.diff(sorted(times))
        gap = len(steps) and steps.max() > _GAP * np.percentile(steps, 10)
        lacks = gap or shortfall(stream, len(packets), float(max(times) * stream.time_base), 0.0)
        return len(packets) if fits and whole and not lacks else 0
