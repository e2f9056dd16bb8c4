"""Frames of video files, from the decoder or from a store of decoded clips."""

import contextlib
import hashlib
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from slowfast.utils.files import atomic_write
from slowfast.utils.logging import get_logger
from slowfast.video import check_backend, open_video

logger = get_logger(__name__)

# A decoded clip larger than this is not stored.
MAX_STORED_BYTES = 256 * 2**20
# What `numpy.save` writes before a uint8 array (T, H, W, 3); only this is taken (NEP 1, version 1.0).
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)(?P<text>\{'descr': '\|u1', 'fortran_order': False, "
    rb"'shape': \((?P<frames>\d+), (?P<height>\d+), (?P<width>\d+), 3\), \} *\n)",
    re.DOTALL,
)
_LONGEST_HEADER = 512
# Which frames the decoders give: another number where levels, turns or counts of some files have changed.
_FRAMES = 2


class FrameSource:
    """Frames of video files, with an optional store of decoded clips that the processes of a machine share.

    Args:
        backend: decoder.
        cache_dir: folder of decoded clips (one uint8 array a file, read through the page cache); None switches it off.

    Raises:
        InputError: the decoder is not installed.
    """

    def __init__(self, backend: str = "pyav", cache_dir: Path | None = None) -> None:
        check_backend(backend)
        self.backend, self.cache_dir = backend, cache_dir

    def read(self, path: str, choose: Callable[[int], np.ndarray]) -> tuple[np.ndarray, str]:
        """Return the frames that `choose(number of frames)` asks for, and what could not be decoded.

        Args:
            path: the file.
            choose: from the number of frames to indices (T,).

        Returns:
            uint8 (T, H, W, 3), and a text that is empty for a sound file.

        Raises:
            VideoError: when the file cannot be read.
        """
        stored = self._stored(path)
        clip = _load_stored(stored) if stored is not None else None
        if clip is not None:
            indices = choose(len(clip))
            with contextlib.suppress(OSError):  # removed by someone meanwhile: decoded again
                return clip.frames(indices), ""
        video = open_video(path, self.backend)
        try:
            length = len(video)
            chosen = clip is not None and len(clip) == length  # a second choice would be another one
            frames_THWC = video.get_frames(indices if chosen else choose(length))
            fits = frames_THWC[0].nbytes * length <= MAX_STORED_BYTES
            # A clip that is read in part is read again, so that every run says so; another process may have stored it.
            if stored is not None and fits and not video.problems and _load_stored(stored) is None:
                self._store(stored, video.get_frames(np.arange(length)))
        finally:
            video.close()
        return frames_THWC, video.problems

    def _store(self, place: Path, clip_THWC: np.ndarray) -> None:
        """Keep a decoded clip; a full disk ends storing, not the run."""
        try:
            with atomic_write(place) as aside, open(aside, "wb") as handle:
                np.save(handle, clip_THWC, allow_pickle=False)
        except OSError as error:
            logger.warning("DATA.CACHE_DIR %s: %s; clips are decoded again instead", self.cache_dir, error.strerror)
            self.cache_dir = None

    def _stored(self, path: str) -> Path | None:
        """Return where the decoded clip of a file lies; a changed file has another place."""
        if self.cache_dir is None:
            return None
        try:
            facts = os.stat(path)
        except OSError:
            return None
        key = f"{_FRAMES}|{path}|{facts.st_size}|{facts.st_mtime_ns}|{self.backend}"
        return self.cache_dir / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.npy"


class StoredClip:
    """Frames of a stored clip, each read where it lies in the file when it is asked for.

    Args:
        path: the file.
        shape: (T, H, W, 3) of the clip.
        start: bytes before the first frame.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int], start: int) -> None:
        self.path, self.shape, self.start = path, shape, start

    def __len__(self) -> int:
        return self.shape[0]

    def frames(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 (len(indices), H, W, 3).

        Raises:
            OSError: the file is gone or shorter than it was.
            IndexError: there is no such frame.
        """
        frames_THWC = np.empty((len(indices), *self.shape[1:]), np.uint8)
        size = frames_THWC[0].nbytes
        with open(self.path, "rb", buffering=0) as handle:
            for frame_HWC, index in zip(frames_THWC, indices):
                if not 0 <= index < len(self):
                    raise IndexError(f"{self.path}: no frame {index} of {len(self)}")
                handle.seek(self.start + int(index) * size)
                if handle.readinto(frame_HWC) != size:
                    raise OSError(f"{self.path}: shorter than it was")
        return frames_THWC


def _load_stored(path: Path) -> StoredClip | None:
    """Return a stored clip, or None when there is none whose header and size are right."""
    try:
        with open(path, "rb", buffering=0) as handle:
            header, size = handle.read(_LONGEST_HEADER), os.fstat(handle.fileno()).st_size
    except OSError:
        return None
    match = _HEADER.match(header)
    if match is None or int.from_bytes(match["length"], "little") != len(match[0]) - match.start("text"):
        return None
    clip = StoredClip(path, (*(int(match[name]) for name in ("frames", "height", "width")), 3), len(match[0]))
    values = math.prod(clip.shape)
    return clip if values and clip.start + values == size else None
