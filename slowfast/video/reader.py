"""The protocol of a video, and what is refused before a decoder touches it.

Rules that hold for every backend:
- Frame i is the i-th frame that can be decoded, in presentation order of the decoder; frame counts in headers are
  not believed. Frames that an edit list discards do not count.
- The first video stream that is not a cover picture is read.
- The orientation of frame 0 (a display matrix of the container or of the stream: eight turns and mirrorings) is applied
  to all frames. Frames that change size in mid-stream are scaled to the size of frame 0.
- What cannot be decoded is left out, and `problems` says how much; a file without one frame raises `VideoError`.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from slowfast.lists.endings import numbered_images
from slowfast.utils.errors import InputError
from slowfast.utils.limits import NO_HANDLES

DEFAULT_TIMEOUT = 120.0


class VideoError(InputError):
    """A file that cannot be read as video; the text names the file and the reason.

    Args:
        path: the file.
        reason: why it cannot be read, in words.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = str(path), reason

    def __reduce__(self):
        return type(self), (self.path, self.reason)


class Video(Protocol):
    """An opened video."""

    path: str
    problems: str  # what could not be decoded, in words; empty for a sound file

    def __len__(self) -> int:
        """Return the number of frames that can be decoded."""

    @property
    def fps(self) -> float:
        """Average frames per second, 0.0 where the file does not say."""

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the frames of `indices` (any order, repeats allowed) as uint8 (T, H, W, 3) RGB."""

    def close(self) -> None:
        """Free the decoder and its frames."""


def check_file(path: str | Path) -> None:
    """Refuse what is not a readable, regular, non-empty file, before a decoder touches it.

    Raises:
        VideoError: with the reason.
        OSError: no file handle is left.
    """
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise VideoError(path, "the file does not exist") from None
    except (OSError, ValueError) as error:
        raise VideoError(path, f"the file cannot be reached ({getattr(error, 'strerror', error)})") from None
    if stat.S_ISDIR(info.st_mode):
        if os.access(path, os.R_OK) and numbered_images(os.listdir(path)):
            return
        raise VideoError(path, "this is a folder without numbered images, not a video file")
    if not stat.S_ISREG(info.st_mode):
        raise VideoError(path, "this is no regular file (a pipe, socket or device)")
    if info.st_size == 0:
        raise VideoError(path, "the file is empty (0 bytes): copy or download it again")
    try:
        with open(path, "rb") as handle:
            head = handle.read(512)
    except OSError as error:
        if error.errno in NO_HANDLES:  # no fault of the file
            raise
        raise VideoError(path, f"the file cannot be opened ({error.strerror})") from None
    reason = _not_a_video(head)
    if reason:
        raise VideoError(path, reason)


def _not_a_video(head: bytes) -> str:
    """Return why a file that begins with these bytes is no video, or an empty string."""
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the video itself: run `git lfs pull`"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "this is a web page with a video name: download the video again"
    if len(head) >= 32 and all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "this is a text file with a video name"
    return ""
