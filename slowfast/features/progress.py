"""How far an extraction is, in videos and windows, with the time left."""

import time
from collections.abc import Callable, Sequence

from slowfast.features.videos import VideoFile
from slowfast.utils.progress import Progress, format_seconds


class VideoProgress(Progress):
    """Progress over files of different lengths: their sizes in bytes stand for the work.

    Args:
        videos: all that will be read.
        every: seconds between two lines.
        emit: where a line goes.
    """

    def __init__(self, videos: Sequence[VideoFile], *, every: float = 5.0, emit: Callable | None = None) -> None:
        super().__init__(len(videos), "features", every=every, emit=emit)
        self._sizes = {video.name: max(1, _size_of(video)) for video in videos}
        self._shares: dict[str, float] = {}
        self._finished = 0
        self._windows = 0

    def reading(self, video: VideoFile, share: float, windows: int) -> None:
        """Count windows of a video of which a share has been read."""
        self._windows += windows
        self._shares[video.name] = share
        self.update(0)

    def finished(self, video: VideoFile) -> None:
        """Count a video as finished."""
        self._shares.pop(video.name, None)
        self._finished += self._sizes[video.name]
        self.update(1)

    def line(self, note: str = "") -> str:
        """Return the present state as one line."""
        total = max(sum(self._sizes.values()), 1)
        done = self._finished + sum(share * self._sizes[name] for name, share in self._shares.items())
        spent = time.monotonic() - self.start
        left = spent / max(done, 1) * (total - done)
        speed = self._windows / max(spent, 1e-9)
        text = (
            f"{self.label}: {self.done}/{self.total} videos, {self._windows} windows ({speed:.1f} a second), "
            f"{100 * done / total:.0f} %, ETA {format_seconds(left)}"
        )
        return f"{text}, {note}" if note else text


def _size_of(video: VideoFile) -> int:
    """Return the bytes of a file, 0 when it cannot be reached."""
    try:
        return video.path.stat().st_size
    except OSError:
        return 0
