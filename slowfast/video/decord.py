"""Decord (last release 2021): one thread, opened, read and closed per clip; see `slowfast.video.plain`."""

import importlib.util
from pathlib import Path

import numpy as np

from slowfast.utils.errors import InputError
from slowfast.video.plain import PlainVideo
from slowfast.video.reader import DEFAULT_TIMEOUT


def open_decord(path: str | Path, timeout: float = DEFAULT_TIMEOUT) -> PlainVideo:
    """Open a video with decord.

    Raises:
        InputError: when decord is not installed.
        VideoError: when the file cannot be read.
    """
    check_decord()
    return PlainVideo(path, _decode, timeout)


def check_decord() -> None:
    """Raise InputError where decord is not installed."""
    if importlib.util.find_spec("decord") is None:
        raise InputError("decord is not installed (it exists for Linux on x86-64 only): set DATA.DECODING_BACKEND pyav")


def _decode(path: str, length: int) -> np.ndarray:
    """Return all frames in order, without seeking, which decord gets wrong for some files."""
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
    if len(reader) != length:
        return np.empty((0, 0, 0, 3), np.uint8)
    frames = [reader.next().asnumpy() for _ in range(length)]
    return np.stack(frames)
