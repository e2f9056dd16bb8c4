"""Frames of video files, from the decoder or from a store of decoded clips."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from slowfast.utils.files import atomic_write
from slowfast.utils.logging import get_logger
from slowfast.video import open_video

logger = get_logger(__name__)

# A decoded clip larger than this is not stored.
MAX_STORED_BYTES = 256 * 2**20


class FrameSource:
    """Frames of video files, with an optional store of decoded clips that the processes of a machine share.

    Args:
        backend: decoder.
        cache_dir: folder of decoded clips (one uint8 array a file, read through the page cache); None switches it off.
    """

    def __init__(self, backend: str = "pyav", cache_dir: Path | None = None) -> None:
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
        clip_THWC = _load_stored(stored) if stored is not None else None
        if clip_THWC is not None:
            return np.ascontiguousarray(clip_THWC[choose(len(clip_THWC))]), ""
        video = open_video(path, self.backend)
        try:
            length = len(video)
            frames_THWC = video.get_frames(choose(length))
            fits = frames_THWC[0].nbytes * length <= MAX_STORED_BYTES
            # A clip that is read in part is read again, so that every run says so.
            if stored is not None and fits and not video.problems:
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
        key = f"{path}|{facts.st_size}|{facts.st_mtime_ns}|{self.backend}"
        return self.cache_dir / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"


def _load_stored(path: Path) -> np.ndarray | None:
    """Return a stored clip without reading it all, or None when there is none that can be read."""
    try:
        clip_THWC = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = clip_THWC.offset + clip_THWC.nbytes == os.path.getsize(path)
    except Exception:  # a damaged header raises almost anything
        return None
    frames = clip_THWC.ndim == 4 and clip_THWC.dtype == np.uint8 and clip_THWC.shape[-1] == 3 and clip_THWC.size > 0
    return clip_THWC if whole and frames else None
