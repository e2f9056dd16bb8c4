"""The reference decoder: PyAV (FFmpeg), packet by packet, so that one bad packet costs one frame and not the file."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from slowfast.video.reader import DEFAULT_TIMEOUT, VideoError

# Decoded frames (YUV) that one open video may hold between counting and picking; beyond it the file is decoded again.
HOLD_BYTES = 256 << 20


class PyAVVideo:
    """A video read with PyAV; see `slowfast.video.reader.Video`.

    Counting means decoding: headers lie too often. The decoded frames are held (unconverted), so that `len()` followed
    by `get_frames` decodes once and converts only what is asked for.

    Args:
        path: a regular file.
        timeout: seconds that decoding may take altogether.
        hold_bytes: decoded frames held in memory at most.
    """

    def __init__(self, path: str | Path, *, timeout: float = DEFAULT_TIMEOUT, hold_bytes: int = HOLD_BYTES) -> None:
        self.path = str(path)
        self.problems = ""
        self._timeout, self._hold_bytes = timeout, hold_bytes
        self._held: list[av.VideoFrame] | None = None
        self._length: int | None = None
        self._size: tuple[int, int] | None = None
        self._reformatter = VideoReformatter()
        with self._open() as container:
            self._fps = _fps_of(_video_stream(container, self.path))

    @property
    def fps(self) -> float:
        """Average frames per second, 0.0 where the file does not say."""
        return self._fps

    def __len__(self) -> int:
        if self._length is None:
            self._decode_all()
        return self._length

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the frames of `indices` (any order, repeats allowed) as uint8 (T, H, W, 3) RGB.

        Raises:
            IndexError: when an index lies outside 0 .. len - 1.
            VideoError: when the file cannot be decoded.
        """
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(
                f"{self.path}: frames {wanted.min()} to {wanted.max()} were asked for, it has 0 to {len(self) - 1}"
            )
        needed, where = np.unique(wanted, return_inverse=True)
        frames = [self._to_rgb(frame) for frame in self._pick(needed)]
        if not frames:
            return np.empty((0, *self._rgb_size(), 3), np.uint8)
        out_THWC = np.empty((len(wanted), *frames[0].shape), np.uint8)
        for row, column in enumerate(where):
            out_THWC[row] = frames[column]
        return out_THWC

    def close(self) -> None:
        """Free the held frames."""
        self._held = None

    def __enter__(self) -> "PyAVVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> av.container.InputContainer:
        """Open the container; only local files may be read, also by play lists."""
        try:
            return av.open("file:" + os.path.abspath(self.path), options={"protocol_whitelist": "file"})
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(self.path, f"no video container that can be read ({_words(error)})") from None

    def _decode_all(self) -> None:
        """Decode once from start to end: count, and hold the frames while they fit."""
        held: list[av.VideoFrame] | None = []
        count = used = 0
        for frame in self._frames():
            count += 1
            self._size = self._size or (frame.width, frame.height)
            used += sum(plane.buffer_size for plane in frame.planes)
            if held is not None:
                held.append(frame)
            if used > self._hold_bytes:
                held = None
        self._length, self._held = count, held

    def _pick(self, needed: np.ndarray) -> Iterator[av.VideoFrame]:
        """Yield the frames of ascending indices, from those held or by decoding up to the last one."""
        if self._held is not None:
            yield from (self._held[index] for index in needed)
            return
        wanted = set(needed.tolist())
        last = int(needed[-1]) if needed.size else -1
        for index, frame in enumerate(self._frames() if wanted else ()):
            if index in wanted:
                yield frame
            if index >= last:
                return

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that can be decoded, in the decoder's output order.

        Raises:
            VideoError: when there is none, or decoding takes too long.
        """
        deadline = time.monotonic() + self._timeout
        count = bad = 0
        reason = ""
        with self._open() as container:
            stream = _video_stream(container, self.path)
            stream.codec_context.thread_count = 1
            for packet in _packets(container, stream):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    bad, reason = bad + 1, _words(error)
                    frames = []
                for frame in frames:
                    count += 1
                    yield frame
                if time.monotonic() > deadline:
                    raise VideoError(self.path, f"decoding took longer than {self._timeout:.0f} s ({count} frames)")
            claimed = stream.frames
        if count == 0:
            raise VideoError(self.path, f"not one frame can be decoded ({reason or 'frame data are missing'})")
        if bad:
            self.problems = f"{bad} damaged packets were skipped, {count} frames are left"
        elif claimed and 2 * count < claimed:
            self.problems = f"{count} of {claimed} frames that the header claims are there"

    def _rgb_size(self) -> tuple[int, int]:
        """Return (H, W) after rotation."""
        return self.get_frames([0]).shape[1:3]

    def _to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Return one frame as uint8 (H, W, 3), at the size of frame 0, rotated as its tag says."""
        width, height = self._size or (frame.width, frame.height)
        rgb = self._reformatter.reformat(frame, width=width, height=height, format="rgb24").to_ndarray()
        turns = round(frame.rotation / 90) % 4
        return np.rot90(rgb, turns) if turns else rgb


def _video_stream(container: av.container.InputContainer, path: str) -> av.VideoStream:
    """Return the first video stream that is not a cover picture and that a decoder exists for."""
    pictures = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not streams:
        raise VideoError(path, "it holds no video stream")
    if streams[0].codec_context is None:
        raise VideoError(path, "no decoder for its codec (unknown codec)")
    return streams[0]


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """Yield packets up to the end of what the container still gives."""
    demuxer = container.demux(stream)
    while True:
        try:
            packet = next(demuxer)
        except (StopIteration, av.error.FFmpegError):
            return
        yield packet


def _fps_of(stream: av.VideoStream) -> float:
    """Return the average frame rate, else the guessed one, else 0."""
    return float(stream.average_rate or stream.guessed_rate or 0.0)


def _words(error: Exception) -> str:
    """Return the message of an error without number and path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
