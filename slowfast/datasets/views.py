"""From frames to network inputs: test views and crops cut from one decode, and training clips."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from slowfast.transforms import spatial
from slowfast.transforms.erasing import random_erase_
from slowfast.transforms.gamma import apply_gamma
from slowfast.transforms.rand_augment import Plan, RandAugment, apply_plan

# Frames are resized in pieces whose float copies stay in the processor's cache and in memory that is reused.
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Normalisation:
    """Levels 0..255 to network input.

    Args:
        mean: of RGB in 0..1.
        std: of RGB in 0..1.
        temporal_mean: share of the clip's mean over time that is subtracted at the end.
    """

    mean: tuple[float, ...] = (0.45, 0.45, 0.45)
    std: tuple[float, ...] = (0.225, 0.225, 0.225)
    temporal_mean: float = 0.0


def empty_float(shape: tuple[int, ...]) -> torch.Tensor:
    """Return an uninitialised float32 tensor; NumPy asks for large pages, which makes the first writing cheaper."""
    return torch.from_numpy(np.empty(shape, np.float32))


@dataclass(frozen=True)
class EvalViews:
    """All views and crops of a video.

    Args:
        size: short side after resizing and side of the crops, pixels.
        crops: 1 (centre) or 3 along the long side.
        gamma: exponent of the gamma correction.
        norm: see `Normalisation`.
    """

    size: int
    crops: int = 1
    gamma: float = 1.0
    norm: Normalisation = field(default_factory=Normalisation)

    def __call__(self, frames_NHWC: np.ndarray, rows_VT: np.ndarray) -> torch.Tensor:
        """Resize every frame once and cut all clips from that.

        Args:
            frames_NHWC: the different frames that the views need, uint8.
            rows_VT: for each temporal view, which of these frames make it.

        Returns:
            float32 (views * crops, 3, T, size, size), all crops of view 0 first.
        """
        views, num_frames = rows_VT.shape
        frames_NHWC = apply_gamma(frames_NHWC, self.gamma)
        out_VCTHW = empty_float((views * self.crops, 3, num_frames, self.size, self.size))
        step = max(1, _CHUNK_BYTES // frames_NHWC[0].nbytes)
        for first in range(0, len(frames_NHWC), step):
            chunk_CNHW = self._resized(frames_NHWC[first : first + step])
            for clip, crop in itertools.product(range(views), range(self.crops)):
                times = ((rows_VT[clip] >= first) & (rows_VT[clip] < first + step)).nonzero()[0]
                self._cut(chunk_CNHW, rows_VT[clip, times] - first, crop, out_VCTHW[clip * self.crops + crop], times)
        return spatial.subtract_temporal_mean(out_VCTHW, self.norm.temporal_mean)

    def _resized(self, frames_NHWC: np.ndarray) -> torch.Tensor:
        """Return frames resized and normalised, float32 (3, N, H, W)."""
        clip_CNHW = spatial.resize_short_side(spatial.to_planes(frames_NHWC).float(), self.size)
        return spatial.normalise_(clip_CNHW, self.norm.mean, self.norm.std)

    def _cut(
        self, chunk_CNHW: torch.Tensor, rows: np.ndarray, crop: int, out_CTHW: torch.Tensor, times: np.ndarray
    ) -> None:
        """Write one crop of the frames `rows` to the places `times` of a clip."""
        which = crop if self.crops == 3 else 1
        offset = spatial.crop_offset(*chunk_CNHW.shape[-2:], self.size, which)
        window_CNHW = spatial.cut(chunk_CNHW, self.size, *offset)
        for row, time in zip(rows.tolist(), times.tolist()):
            out_CTHW[:, time] = window_CNHW[:, row]


@dataclass(frozen=True)
class TrainViews:
    """One augmented training clip.

    Args:
        size: side of the clip, pixels.
        jitter: short side range when there is no random resized crop, pixels.
        area: area range of the random resized crop, empty without it.
        aspect: aspect range of the random resized crop.
        flip: mirror with probability 0.5.
        gamma: exponent of the gamma correction.
        norm: see `Normalisation`.
        rand_augment: applied to the uint8 frames, or None.
        erase_prob: probability of random erasing.
        erase_mode: fill of erased boxes.
        erase_count: boxes erased.
    """

    size: int
    jitter: tuple[int, int] = (256, 320)
    area: tuple[float, ...] = ()
    aspect: tuple[float, ...] = (3 / 4, 4 / 3)
    flip: bool = True
    gamma: float = 1.0
    norm: Normalisation = field(default_factory=Normalisation)
    rand_augment: RandAugment | None = None
    erase_prob: float = 0.0
    erase_mode: str = "pixel"
    erase_count: int = 1

    def __call__(self, frames_THWC: np.ndarray, rng: np.random.Generator, out_CTHW: torch.Tensor) -> None:
        """Write one augmentation of uint8 frames to `out_CTHW`, float32 (3, T, size, size)."""
        plan = self.rand_augment.draw(rng) if self.rand_augment is not None else []
        self._crop(apply_gamma(frames_THWC, self.gamma), plan, rng, out_CTHW)
        if self.norm.temporal_mean:
            out_CTHW.copy_(spatial.subtract_temporal_mean(out_CTHW, self.norm.temporal_mean))
        random_erase_(out_CTHW, rng, prob=self.erase_prob, mode=self.erase_mode, count=self.erase_count)

    def _crop(self, frames_THWC: np.ndarray, plan: Plan, rng: np.random.Generator, out_CTHW: torch.Tensor) -> None:
        """Write the normalised clip after RandAugment, random resizing, cropping and mirroring."""
        height, width = frames_THWC.shape[1:3]
        interpolation = self.rand_augment.interpolation if plan else ""
        if self.area:
            box = spatial.random_resized_box(height, width, self.area, self.aspect, rng)
            resized, offset = (self.size, self.size), (0, 0)
        else:
            box = None
            side = max(spatial.jitter_size(self.jitter, rng), self.size)
            resized = spatial.short_side_size(height, width, side)
            offset = spatial.random_crop_offset(*resized, self.size, rng)
        frames_THWC = apply_plan(frames_THWC, plan, interpolation, box)
        if self.flip and rng.random() < 0.5:
            frames_THWC = frames_THWC[:, :, ::-1]
        step = max(1, _CHUNK_BYTES // frames_THWC[0].nbytes)
        for first in range(0, len(frames_THWC), step):
            chunk_CTHW = spatial.to_planes(frames_THWC[first : first + step]).float()
            chunk_CTHW = spatial.cut(spatial.resize(chunk_CTHW, *resized), self.size, *offset)
            out_CTHW[:, first : first + step] = chunk_CTHW
        spatial.normalise_(out_CTHW, self.norm.mean, self.norm.std)
