"""Torchcodec (optional, needs FFmpeg's libraries on the machine); see `slowfast.video.plain`."""

import functools
import io
from pathlib import Path

import av
import numpy as np

from slowfast.utils.errors import InputError
from slowfast.video.plain import PlainVideo
from slowfast.video.reader import DEFAULT_TIMEOUT


def open_torchcodec(path: str | Path, timeout: float = DEFAULT_TIMEOUT) -> PlainVideo:
    """Open a video with torchcodec.

    Raises:
        InputError: when torchcodec cannot decode a tiny clip on this machine.
        VideoError: when the file cannot be read.
    """
    check_torchcodec()
    return PlainVideo(path, _decode, timeout)


def check_torchcodec() -> None:
    """Raise InputError where torchcodec cannot decode a tiny clip."""
    reason = why_unavailable()
    if reason:
        raise InputError(
            f"torchcodec cannot decode here ({reason}): install it with FFmpeg's libraries, or set"
            " DATA.DECODING_BACKEND pyav"
        )


@functools.cache
def why_unavailable() -> str:
    """Return why torchcodec does not work here, an empty string when it really decodes a tiny clip."""
    try:
        from torchcodec.decoders import VideoDecoder

        frame = VideoDecoder(tiny_clip(), num_ffmpeg_threads=1)[0]
    except Exception as error:  # a missing library shows as any of several types
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return "" if tuple(frame.shape) == (3, 32, 32) else f"a test frame has the shape {tuple(frame.shape)}"


def tiny_clip() -> bytes:
    """Return an MP4 of four grey frames of 32 x 32 pixels."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for level in (0, 80, 160, 240):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _decode(path: str, length: int) -> np.ndarray:
    """Return all frames in order."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=1)
    if len(decoder) != length:
        return np.empty((0, 0, 0, 3), np.uint8)
    return decoder.get_frames_in_range(0, length).data.numpy()
