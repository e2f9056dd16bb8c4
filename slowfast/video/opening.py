"""The door to the decoders."""

import os
from pathlib import Path

from slowfast.lists.names import find_file
from slowfast.utils.errors import InputError
from slowfast.video.decord import check_decord, open_decord
from slowfast.video.pyav import PyAVVideo
from slowfast.video.reader import DEFAULT_TIMEOUT, Video, check_file
from slowfast.video.torchcodec import check_torchcodec, open_torchcodec

_OPENERS = {"pyav": PyAVVideo, "decord": open_decord, "torchcodec": open_torchcodec}
_CHECKS = {"decord": check_decord, "torchcodec": check_torchcodec}
BACKENDS = tuple(_OPENERS)


def open_video(path: str | Path, backend: str = "pyav", *, timeout: float = DEFAULT_TIMEOUT) -> Video:
    """Open a video file.

    Args:
        path: the file; its container is found from the content, not from the name. Where nothing is there, the name in
            the other Unicode form or with slashes for backslashes counts. A folder of numbered images is a video too.
        backend: `pyav`, `decord` or `torchcodec`.
        timeout: seconds that decoding may take altogether.

    Returns:
        An object with `len()`, `fps` and `get_frames(indices) -> uint8 (T, H, W, 3)`.

    Raises:
        VideoError: when the file is missing, no regular file, damaged, or holds no video.
        InputError: when the backend is unknown or not installed.
    """
    path = find_file(path)
    check_file(path)
    if backend not in _OPENERS:
        raise InputError(
            f"the decoder {backend!r} is unknown: set DATA.DECODING_BACKEND to one of {', '.join(BACKENDS)}"
        )
    return _OPENERS["pyav" if os.path.isdir(path) else backend](path, timeout=timeout)


def check_backend(backend: str) -> None:
    """Raise InputError where a decoder is not installed, before any process that decodes is started.

    Args:
        backend: `pyav`, `decord` or `torchcodec`.
    """
    if backend in _CHECKS:
        _CHECKS[backend]()
