"""All clips of a batch at once, as GPUs want it: every output pixel is gathered from its four neighbours in the frames.

Legend: B clips, S sources (videos), N their frames, T frames of a clip, O side of a clip, C channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from slowfast.transforms.gamma import gamma_table

# Of an axis: the two neighbours of every output, and the share of the second one.
_Taps = tuple[np.ndarray, np.ndarray, np.ndarray]


class Cut(NamedTuple):
    """Where a clip comes from.

    Args:
        frames_NHWC: uint8 frames of its source; clips of one source share them.
        rows_T: which of them it has.
        resized: (height, width) that they are resized to.
        offset: (top, left) of the square after that.
        flip: mirror.
    """

    frames_NHWC: Tensor
    rows_T: np.ndarray
    resized: tuple[int, int]
    offset: tuple[int, int]
    flip: bool = False


def cut_levels(cuts: Sequence[Cut], size: int, gamma: float, device: str | torch.device) -> Tensor:
    """Return the levels of all clips, float32 (B, T, size, size, 3): gamma, bilinear resizing, squares, mirrors.

    Args:
        cuts: one per clip, all with as many frames.
        size: side of the squares, pixels.
        gamma: exponent of all clips.
        device: where they are computed.
    """
    sources = {id(cut.frames_NHWC): cut.frames_NHWC for cut in cuts}
    canvas = _side_by_side(list(sources.values()), device)
    if gamma != 1.0:
        canvas = torch.from_numpy(gamma_table(gamma)).to(device)[canvas.int()]
    place = {key: number for number, key in enumerate(sources)}
    source_B = np.array([place[id(cut.frames_NHWC)] for cut in cuts])
    down, across = zip(*(_taps_of(cut, size) for cut in cuts))

    def on_device(values: Sequence[np.ndarray], *shape: int) -> Tensor:
        return torch.from_numpy(np.stack(values)).to(device, non_blocking=True).view(len(cuts), *shape)

    first, frame = on_device(source_B, 1, 1, 1), on_device([cut.rows_T for cut in cuts], -1, 1, 1)
    top, bottom, low = (on_device(part, 1, -1, 1) for part in zip(*down))
    left, right, more = (on_device(part, 1, 1, -1) for part in zip(*across))
    low, more = low[..., None], more[..., None]
    levels_BTOOC = None
    for row, share in ((top, 1 - low), (bottom, low)):
        line = canvas[first, frame, row, left].float().mul_(1 - more)
        line.addcmul_(canvas[first, frame, row, right].float(), more)
        levels_BTOOC = line.mul_(share) if levels_BTOOC is None else levels_BTOOC.addcmul_(line, share)
    return levels_BTOOC


def _side_by_side(frames: Sequence[Tensor], device: str | torch.device) -> Tensor:
    """Return the frames of all sources as uint8 (S, N, H, W, 3) on a device; what a smaller one lacks is not set."""
    largest = np.max([tuple(one.shape) for one in frames], axis=0).tolist()
    canvas = torch.empty((len(frames), *largest), dtype=torch.uint8, device=device)
    for place, one in zip(canvas, frames):
        count, height, width, _ = one.shape
        place[:count, :height, :width].copy_(one.to(device, non_blocking=True))
    return canvas


def _taps_of(cut: Cut, size: int) -> tuple[_Taps, _Taps]:
    """Return the neighbours of the rows and of the columns of a clip."""
    height, width = cut.frames_NHWC.shape[1:3]
    down = _taps(height, cut.resized[0], cut.offset[0], size)
    across = _taps(width, cut.resized[1], cut.offset[1], size)
    return down, tuple(part[::-1].copy() for part in across) if cut.flip else across


def _taps(length: int, resized: int, first: int, size: int) -> _Taps:
    """Return the neighbours of `size` outputs from `first` on, of an axis that is resized with centres aligned."""
    scale = np.float32(length) / np.float32(resized)
    centre = np.arange(first, first + size, dtype=np.float32) + np.float32(0.5)
    place = np.maximum(scale * centre - np.float32(0.5), np.float32(0))
    low = np.minimum(place.astype(np.int64), length - 1)
    return low, np.minimum(low + 1, length - 1), place - low.astype(np.float32)
