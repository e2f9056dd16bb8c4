"""What a video is like: can it be read, how long, how large, how dark."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from slowfast.video.opening import open_video
from slowfast.video.reader import DEFAULT_TIMEOUT, VideoError

# Mean grey below which a clip counts as dark: ARID's clips lie between 0 and 50, ordinary ones above 59.
DARK_LUMA = 55.0
_SAMPLED_FRAMES = 8
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class VideoFacts:
    """Facts on one file.

    Args:
        path: the file.
        readable: whether at least one frame can be decoded.
        frames: number of frames that can be decoded.
        width: pixels, after rotation.
        height: pixels, after rotation.
        fps: frames per second, 0 where the file does not say.
        luma: mean grey level of sampled frames, 0 to 255.
        problems: what could not be decoded.
        error: why it cannot be read.
        histogram: grey levels of the sampled frames, 256 shares.
    """

    path: str
    readable: bool = False
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    luma: float = 0.0
    problems: str = ""
    error: str = ""
    histogram: tuple[float, ...] = field(default=(), repr=False)

    @property
    def seconds(self) -> float:
        """Duration, 0 where the frame rate is unknown."""
        return self.frames / self.fps if self.fps else 0.0

    @property
    def dark(self) -> bool:
        """Whether it is a readable clip below `DARK_LUMA`."""
        return self.readable and self.luma < DARK_LUMA


def probe(path: str | Path, backend: str = "pyav", timeout: float = DEFAULT_TIMEOUT) -> VideoFacts:
    """Decode a video from start to end and return its facts; a file that cannot be read is a fact too.

    Args:
        path: the file.
        backend: decoder.
        timeout: seconds that decoding may take.
    """
    try:
        video = open_video(path, backend, timeout=timeout)
        try:
            length = len(video)
            indices = np.unique(np.linspace(0, length - 1, min(_SAMPLED_FRAMES, length)).astype(int))
            frames_THWC = video.get_frames(indices)
            problems, fps = video.problems, video.fps
        finally:
            video.close()
    except VideoError as error:
        return VideoFacts(str(path), error=error.reason)
    grey = frames_THWC.reshape(-1, 3) @ _GREY_WEIGHTS
    counts = np.bincount(np.minimum(grey + 0.5, 255).astype(np.uint8), minlength=256)
    return VideoFacts(
        path=str(path),
        readable=True,
        frames=length,
        width=frames_THWC.shape[2],
        height=frames_THWC.shape[1],
        fps=fps,
        luma=float(grey.mean()),
        problems=problems,
        histogram=tuple((counts / counts.sum()).tolist()),
    )


def mean_grey(frame_HWC: np.ndarray) -> float:
    """Return the mean grey level of every fourth pixel of a uint8 frame, 0 to 255."""
    return float((frame_HWC[::4, ::4] @ _GREY_WEIGHTS).mean())
