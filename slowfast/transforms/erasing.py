"""Random erasing (Zhong et al. 2020): a box of the clip, the same in all frames, is overwritten."""

import math

import numpy as np
import torch

MIN_AREA, MAX_AREA = 0.02, 1 / 3
MIN_ASPECT = 0.3


def random_erase_(
    clip_CTHW: torch.Tensor, rng: np.random.Generator, *, prob: float, mode: str = "pixel", count: int = 1
) -> torch.Tensor:
    """Overwrite random boxes of a normalised clip in place.

    Args:
        clip_CTHW: float clip.
        rng: source of randomness.
        prob: probability that anything is erased.
        mode: `pixel` (normal noise per value), `rand` (one normal colour a frame) or `const` (zero).
        count: number of boxes; their areas are shared out.

    Returns:
        The same clip.
    """
    if prob <= 0 or rng.random() >= prob:
        return clip_CTHW
    channels, frames, height, width = clip_CTHW.shape
    for _ in range(count):
        box = _draw_box(height, width, count, rng)
        if box is None:
            continue
        top, left, h, w = box
        target = clip_CTHW[:, :, top : top + h, left : left + w]
        if mode == "const":
            target.zero_()
            continue
        shape = (channels, frames, h, w) if mode == "pixel" else (channels, frames, 1, 1)
        target.copy_(torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)))
    return clip_CTHW


def _draw_box(height: int, width: int, count: int, rng: np.random.Generator) -> tuple[int, int, int, int] | None:
    """Return (top, left, height, width) of a box smaller than the frame, or None after 100 misses."""
    for _ in range(100):
        area = rng.uniform(MIN_AREA, MAX_AREA) * height * width / count
        aspect = math.exp(rng.uniform(math.log(MIN_ASPECT), -math.log(MIN_ASPECT)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < h < height and 0 < w < width:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    return None
