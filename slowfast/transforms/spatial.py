"""Resizing, cropping, mirroring and normalising whole clips.

Legend: C channels, T frames, H W pixels. Boxes are (top, left, height, width) in pixels.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

Box = tuple[int, int, int, int]


def short_side_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Return (H, W) after scaling the short side to `size`; the long side is rounded down."""
    if width < height:
        return int(math.floor(height / width * size)), size
    return size, int(math.floor(width / height * size))


def crop_offset(height: int, width: int, size: int, crop: int) -> tuple[int, int]:
    """Return (top, left) of one of three crops along the long side; the short side is centred.

    Args:
        height: pixels of the resized frame.
        width: pixels of the resized frame.
        size: side of the crop.
        crop: 0 left or top, 1 centre (rounded up), 2 right or bottom; square frames count as landscape.
    """
    if crop not in (0, 1, 2):
        raise ValueError(f"crop is {crop}, one of 0 (left or top), 1 (centre), 2 (right or bottom) is needed")
    top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
    if height > width:
        top = (0, top, height - size)[crop]
    else:
        left = (0, left, width - size)[crop]
    return top, left


def resize(clip_CTHW: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return a float clip resized bilinearly (pixel centres aligned, no antialiasing)."""
    if clip_CTHW.shape[-2:] == (height, width):
        return clip_CTHW
    return F.interpolate(clip_CTHW, size=(height, width), mode="bilinear", align_corners=False)


def resize_short_side(clip_CTHW: torch.Tensor, size: int) -> torch.Tensor:
    """Return a float clip whose short side is `size` pixels; unchanged where it already is."""
    height, width = clip_CTHW.shape[-2:]
    if min(height, width) == size:
        return clip_CTHW
    return resize(clip_CTHW, *short_side_size(height, width, size))


def resize_and_crop(clip_CTHW: torch.Tensor, size: int, crop: int) -> torch.Tensor:
    """Return a square test crop of a clip.

    Args:
        clip_CTHW: float clip (integers are converted to float32).
        size: short side after resizing and side of the crop, pixels.
        crop: 0 left or top, 1 centre, 2 right or bottom.

    Returns:
        (C, T, size, size).
    """
    clip_CTHW = torch.as_tensor(clip_CTHW)
    if not clip_CTHW.is_floating_point():
        clip_CTHW = clip_CTHW.float()
    clip_CTHW = resize_short_side(clip_CTHW, size)
    return cut(clip_CTHW, size, *crop_offset(*clip_CTHW.shape[-2:], size, crop))


def cut(clip_CTHW: torch.Tensor, size: int, top: int, left: int) -> torch.Tensor:
    """Return a view of the square of `size` pixels at (top, left)."""
    return clip_CTHW[..., top : top + size, left : left + size]


def to_planes(frames_THWC: np.ndarray) -> torch.Tensor:
    """Return uint8 frames (T, H, W, 3) as a uint8 tensor (3, T, H, W), contiguous."""
    return torch.from_numpy(np.ascontiguousarray(frames_THWC.transpose(3, 0, 1, 2)))


def normalise_(clip_CTHW: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Turn levels 0..255 into (v / 255 - mean) / std, in place."""
    if len(set(mean)) == 1 and len(set(std)) == 1:
        return clip_CTHW.mul_(1 / (255 * std[0])).sub_(mean[0] / std[0])
    scale = 1 / (255 * torch.tensor(std))
    offset = torch.tensor(mean) / torch.tensor(std)
    return clip_CTHW.mul_(scale[:, None, None, None]).sub_(offset[:, None, None, None])


def normalise_to(levels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], out: torch.Tensor) -> None:
    """Write levels 0..255 (3, ...) as (v / 255 - mean) / std to `out`, in one pass over memory."""
    same = len(set(mean)) == 1 and len(set(std)) == 1
    parts = [(mean[0], std[0], levels, out)] if same else zip(mean, std, levels, out)
    for centre, spread, part, target in parts:
        torch.add(torch.tensor(-centre / spread), part, alpha=1 / (255 * spread), out=target)


def subtract_temporal_mean(clip_CTHW: torch.Tensor, share: float) -> torch.Tensor:
    """Return the clip minus `share` of its mean over time, which removes a still background at share 1."""
    if share == 0:
        return clip_CTHW
    return clip_CTHW - share * clip_CTHW.mean(dim=-3, keepdim=True)


def jitter_size(limits: tuple[int, int], rng: np.random.Generator) -> int:
    """Return a short side drawn uniformly from [smallest, largest] pixels."""
    return int(round(rng.uniform(*limits)))


def random_crop_offset(height: int, width: int, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return (top, left) of a crop drawn uniformly."""
    return int(rng.integers(0, height - size + 1)), int(rng.integers(0, width - size + 1))


def random_resized_box(
    height: int, width: int, area: tuple[float, float], aspect: tuple[float, float], rng: np.random.Generator
) -> Box:
    """Return a box of random area and aspect ratio (Inception cropping; Szegedy et al. 2015).

    Args:
        height: pixels of the frame.
        width: pixels of the frame.
        area: smallest and largest share of the frame's area, drawn uniformly.
        aspect: smallest and largest width over height, drawn uniformly in the logarithm.
        rng: source of randomness.
    """
    for _ in range(10):
        target = rng.uniform(*area) * height * width
        ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    w, h = width, height
    if width / height < aspect[0]:
        h = round(width / aspect[0])
    elif width / height > aspect[1]:
        w = round(height * aspect[1])
    return (height - h) // 2, (width - w) // 2, h, w
