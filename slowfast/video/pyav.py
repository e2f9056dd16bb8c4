"""The reference decoder: PyAV (FFmpeg), packet by packet, so that one bad packet costs one frame and not the file."""

import bisect
import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.logging
import numpy as np

from slowfast.utils.limits import NO_HANDLES
from slowfast.video.frames_folder import folder_problems, open_frames
from slowfast.video.picture import Picture, words
from slowfast.video.reader import DEFAULT_TIMEOUT, VideoError

# Decoded frames (YUV) that one open video may hold between counting and picking; beyond it the file is decoded again.
HOLD_BYTES = 256 << 20
# Pixels of a frame (4K): a header of a few bytes may claim frames that fill the memory.
MAX_PIXELS = 4096 * 2304
# Headers are often a frame or two off; less than this share of what they claim is reported.
_NEARLY = 0.95
# Frames between here and the next keyframe worth seeking to.
_SEEK_WORTH = 8
# Frames per second up to which a rate is believed that equals the unit of the timestamps (FLV and live Matroska: 1000).
_HIGHEST_RATE = 300
# From PyAV 19 on tags in any encoding are borne with, and there is no such argument any more.
TAGS = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


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
        self.problems = self.broken = ""
        self._timeout, self._hold_bytes = timeout, hold_bytes
        self._held: list[av.VideoFrame] | None = None
        self._length: int | None = None
        self._index: _Index | None = None
        self._container: av.container.InputContainer | None = self._open()
        try:
            self._fps = _fps_of(_video_stream(self._container, self.path))
        except VideoError:
            self._container.close()
            raise
        # A file without one frame is refused at once; decoding goes on from there.
        self._decoding = self._frames()
        self.first = next(self._decoding)
        self.picture = Picture(self.path, self.first)
        self._begun: Iterator[av.VideoFrame] | None = itertools.chain([self.first], self._decoding)

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
        needed = np.unique(wanted)
        out_THWC = np.empty((len(wanted), *self.picture.shape, 3), np.uint8)
        frames = self._pick(needed)
        for index in needed:
            frame = next(frames, None)
            if frame is None:
                raise VideoError(self.path, "the file has changed while it was read")
            out_THWC[wanted == index] = self.picture.rgb(frame)
        return out_THWC

    def close(self) -> None:
        """Free the decoder and the held frames."""
        self._held = self._begun = None
        self._decoding.close()

    def __enter__(self) -> "PyAVVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> av.container.InputContainer:
        """Open the container; only local files may be read, also by play lists."""
        try:
            return open_container(self.path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in NO_HANDLES:  # no fault of the file
                raise
            raise VideoError(self.path, f"no video container that can be read ({words(error)})") from None

    def _decode_all(self) -> None:
        """Decode once from start to end: count, and hold the frames while they fit."""
        held: list[av.VideoFrame] | None = []
        count = used = 0
        index = _Index()
        for frame in self._all_frames():
            count += 1
            index.add(frame)
            used += sum(plane.buffer_size for plane in frame.planes)
            if held is not None:
                held.append(frame)
            if used > self._hold_bytes:
                held = None
        self._length, self._held = count, held
        self._index = index if index.ordered and not self.problems else None

    def _pick(self, needed: np.ndarray) -> Iterator[av.VideoFrame]:
        """Yield the frames of ascending indices, from those held, by seeking, or by decoding up to the last one."""
        if self._held is not None:
            yield from (self._held[index] for index in needed)
            return
        found = 0
        if self._index is not None:
            for frame in self._seek(needed.tolist(), self._index):
                found += 1
                yield frame
        yield from self._scan(needed[found:].tolist())

    def _scan(self, needed: list[int]) -> Iterator[av.VideoFrame]:
        """Yield the frames of ascending indices by decoding from the start."""
        wanted = set(needed)
        for index, frame in enumerate(self._frames() if wanted else ()):
            if index in wanted:
                yield frame
            if index >= needed[-1]:
                return

    def _seek(self, needed: list[int], index: "_Index") -> Iterator[av.VideoFrame]:
        """Yield the frames of ascending indices from the keyframes before them; ends where a seek goes wrong."""
        with self._open() as container, contextlib.suppress(av.error.FFmpegError):
            yield from _from_keyframes(container, _one_thread(_video_stream(container, self.path)), needed, index)

    def _all_frames(self) -> Iterator[av.VideoFrame]:
        """Return what opening began to decode, and after that decode from the start again."""
        begun, self._begun = self._begun, None
        return begun if begun is not None else self._frames()

    def _packets(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
        """Yield packets up to the end of what the container still gives; `broken` says why it gives no more."""
        demuxer = container.demux(stream)
        while True:
            try:
                packet = next(demuxer)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self.broken = words(error)
                return
            yield packet

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that can be decoded, in the decoder's output order, and note what could not.

        Raises:
            VideoError: when there is none, or decoding takes too long.
        """
        spent, since = 0.0, time.monotonic()
        tally = _Tally()
        container, self._container = self._container or self._open(), None
        with container:
            stream = _one_thread(_video_stream(container, self.path))
            for packet in self._packets(container, stream):
                frames = tally.decode(packet)
                spent += time.monotonic() - since
                if spent > self._timeout:
                    raise VideoError(
                        self.path, f"decoding took longer than {self._timeout:.0f} s ({tally.frames} frames)"
                    )
                yield from frames
                since = time.monotonic()
            if tally.frames == 0:
                raise VideoError(
                    self.path,
                    f"not one frame can be decoded ({tally.reason or self.broken or 'frame data are missing'})",
                )
            self.problems = folder_problems(self.path) or tally.problems(stream)


@dataclass
class _Index:
    """Where the frames of a file are: timestamps by number, numbers by timestamp, numbers of the keyframes."""

    stamps: list[int | None] = field(default_factory=list)
    places: dict[int | None, int] = field(default_factory=dict)
    keyframes: list[int] = field(default_factory=list)
    ordered: bool = True

    def add(self, frame: av.VideoFrame) -> None:
        """Note the next frame."""
        in_order = frame.pts is not None and (not self.stamps or frame.pts > self.stamps[-1])
        self.ordered = self.ordered and in_order and not frame.is_corrupt
        if frame.key_frame:
            self.keyframes.append(len(self.stamps))
        self.places[frame.pts] = len(self.stamps)
        self.stamps.append(frame.pts)

    def keyframe_before(self, number: int) -> int:
        """Return the number of the last keyframe up to a frame."""
        return self.keyframes[max(0, bisect.bisect_right(self.keyframes, number) - 1)] if self.keyframes else 0


@dataclass
class _Tally:
    """Counts of one decoding pass: frames, packets that failed or came before the first keyframe, times."""

    frames: int = 0
    bad: int = 0
    early: int = 0
    discarded: int = 0
    keyframe_seen: bool = False
    end: float = 0.0
    longest: float = 0.0
    reason: str = ""

    def decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Return the frames of a packet, none when it is damaged."""
        self.keyframe_seen = self.keyframe_seen or packet.is_keyframe
        self.early += packet.size > 0 and not self.keyframe_seen
        self.discarded += packet.is_discard
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            self.bad, self.reason = self.bad + 1, words(error)
            return []
        self.frames += len(frames)
        for frame in frames:
            time = frame.time or 0.0
            self.longest = max(self.longest, time - self.end if self.frames > len(frames) else 0.0)
            self.end = max(self.end, time)
        return frames

    def problems(self, stream: av.VideoStream) -> str:
        """Return what is missing, in words."""
        if self.bad:
            return f"{self.bad} damaged packets were skipped, {self.frames} frames are left"
        if self.early and self.frames:
            return f"it begins between two keyframes, {self.frames} frames are left"
        return shortfall(stream, self.frames + self.discarded, self.end, self.longest)


def shortfall(stream: av.VideoStream, frames: int, end: float, longest: float) -> str:
    """Return what a file lacks of that which its header claims, in words; empty for what can be a whole file.

    Args:
        stream: of the file.
        frames: found, with those that an edit list discards.
        end: time of the last frame, seconds.
        longest: largest step between two frames, seconds; the last frame may be shown as long, which muxers write so.
    """
    # AVI counts a repeated frame, an empty chunk, as a frame.
    repeats = stream.container.format.name == "avi" and end * _fps_of(stream) > _NEARLY * stream.frames - 2
    if frames < _NEARLY * stream.frames - 2 and not repeats:
        return f"the header claims {stream.frames} frames, {frames} can be decoded"
    seconds = _claimed_seconds(stream)
    if end + max(2 / (_fps_of(stream) or 1.0), 1.1 * longest) < _NEARLY * seconds:
        return f"the header claims {seconds:.1f} s, the frames end at {end:.1f} s"
    return ""


def _claimed_seconds(stream: av.VideoStream) -> float:
    """Return the duration that the header claims for the pictures, 0 where only an estimate is known.

    Matroska writes it beside the stream as H:MM:SS. FLV, ASF and Matroska have one for all streams together, which
    counts where there is no other stream.
    """
    match = re.match(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    if match:
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    container = stream.container
    alone = len(container.streams) == 1 and container.format.name.startswith(("flv", "asf", "matroska"))
    return (container.duration or 0) / av.time_base if alone else 0.0


def _video_stream(container: av.container.InputContainer, path: str) -> av.VideoStream:
    """Return the first video stream that is not a cover picture and that a decoder exists for."""
    pictures = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not streams:
        raise VideoError(path, "it holds no video stream")
    if streams[0].codec_context is None:
        raise VideoError(path, f"no decoder for its codec {_codec_tag(path)}")
    width, height = streams[0].codec_context.width, streams[0].codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(path, f"its frames have {width} x {height} pixels, more than 4096 x 2304: scale it down")
    return streams[0]


def open_container(path: str | Path) -> av.container.InputContainer:
    """Open a container; only local files may be read, also by play lists, and tags in any encoding are borne with."""
    if os.path.isdir(path):
        return open_frames(path)
    return av.open(f"file:{os.path.abspath(path)}", options={"protocol_whitelist": "file"}, **TAGS)


def _one_thread(stream: av.VideoStream) -> av.VideoStream:
    """Return the stream, to be decoded with one thread and up to `MAX_PIXELS`."""
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def _from_keyframes(
    container: av.container.InputContainer, stream: av.VideoStream, needed: list[int], index: _Index
) -> Iterator[av.VideoFrame]:
    """Yield the frames of ascending indices; ends where a frame comes that was not expected."""
    position = -1 - _SEEK_WORTH
    for wanted in needed:
        keyframe = index.keyframe_before(wanted)
        if keyframe > position + _SEEK_WORTH:
            container.seek(index.stamps[keyframe], stream=stream)
            frames, position = container.decode(stream), -1
        while position < wanted:
            frame = next(frames, None)
            position = index.places.get(frame.pts, len(index.stamps)) if frame is not None else len(index.stamps)
        if position > wanted:
            return
        yield frame


def _codec_tag(path: str) -> str:
    """Return the four letters of a codec that FFmpeg does not know, which only its log tells."""
    level, skip = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as entries:
            open_container(path).close()
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip)
    match = re.search(r"Video: none \((\S+)", " ".join(text for _, _, text in entries))
    return repr(match[1]) if match else "(unknown codec)"


def _fps_of(stream: av.VideoStream) -> float:
    """Return the average frame rate, else the guessed one, else 0; a rate of one frame a timestamp unit is no rate."""
    rate = stream.average_rate or stream.guessed_rate or 0
    return float(rate) if rate <= _HIGHEST_RATE or rate * stream.time_base < 1 else 0.0
