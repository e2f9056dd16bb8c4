"""Small clips for a page: some frames, left as recorded, right after gamma. Legend: T frames, H W."""

from pathlib import Path

import numpy as np
from PIL import Image

from slowfast.transforms.gamma import apply_gamma
from slowfast.video import open_video
from slowfast.video.writer import write_h264

_RATES = (4.0, 12.0)  # frames per second at least and at most, so that a clip of any length can be followed


def write_film(
    source: str | Path, target: str | Path, gamma: float, *, frames: int = 24, size: tuple[int, int] = (160, 120)
) -> None:
    """Write the H.264 clip (4:2:0, even sides, index first, no sound) that a page plays for a video.

    It has `frames` frames at most, spread over the video; each half is `size` (width, height) large, the right one is
    after gamma. Raises VideoError for a video that cannot be read.
    """
    video = open_video(source)
    try:
        count, length = min(frames, len(video)), len(video)
        frames_THWC = video.get_frames([length * index // count for index in range(count)])
        seconds = length / (video.fps or 25.0)
    finally:
        video.close()
    small_THWC = np.stack([_fit(frame_HWC, *size) for frame_HWC in frames_THWC])
    pair_THWC = np.concatenate([small_THWC, apply_gamma(small_THWC, gamma)], axis=2)
    write_h264(target, pair_THWC, fps=min(max(count / seconds, _RATES[0]), _RATES[1]), crf=26, faststart=True)


def _fit(frame_HWC: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a frame scaled into the middle of a black field of one size for all clips."""
    rows, columns = frame_HWC.shape[:2]
    scale = min(width / columns, height / rows)
    inner = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    image = Image.fromarray(frame_HWC).resize(inner, Image.Resampling.BILINEAR, reducing_gap=2.0)
    field = Image.new("RGB", (width, height))
    field.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return np.asarray(field)
