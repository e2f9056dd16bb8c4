"""From frames to network inputs: test views and crops cut from one decode, and training clips."""

from dataclasses import dataclass, field

import numpy as np
import torch

from slowfast.transforms import spatial
from slowfast.transforms.erasing import random_erase_
from slowfast.transforms.gamma import apply_gamma
from slowfast.transforms.rand_augment import RandAugment


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
        places = [(rows_VT == row).nonzero() for row in range(len(frames_NHWC))]
        for frame_HWC, (view_indices, time_indices) in zip(frames_NHWC, places):
            frame_CHW = self._resized(frame_HWC)
            for crop in range(self.crops):
                which = crop if self.crops == 3 else 1
                top, left = spatial.crop_offset(*frame_CHW.shape[-2:], self.size, which)
                window_CHW = frame_CHW[:, top : top + self.size, left : left + self.size]
                for view, time in zip(view_indices, time_indices):
                    out_VCTHW[view * self.crops + crop, :, time] = window_CHW
        return spatial.subtract_temporal_mean(out_VCTHW, self.norm.temporal_mean)

    def _resized(self, frame_HWC: np.ndarray) -> torch.Tensor:
        """Return one frame resized and normalised, float32 (3, H, W)."""
        clip_CTHW = spatial.to_float(frame_HWC[None], self.norm.mean, self.norm.std)
        return spatial.resize_short_side(clip_CTHW, self.size)[:, 0]


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

    def __call__(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return one augmentation of uint8 frames as float32 (3, T, size, size)."""
        frames_THWC = apply_gamma(frames_THWC, self.gamma)
        if self.rand_augment is not None:
            frames_THWC = self.rand_augment(frames_THWC, rng)
        clip_CTHW = self._crop(frames_THWC, rng)
        if self.flip and rng.random() < 0.5:
            clip_CTHW = clip_CTHW.flip(-1)
        clip_CTHW = spatial.subtract_temporal_mean(clip_CTHW, self.norm.temporal_mean)
        return random_erase_(clip_CTHW, rng, prob=self.erase_prob, mode=self.erase_mode, count=self.erase_count)

    def _crop(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return a normalised float clip after random resizing and cropping."""
        height, width = frames_THWC.shape[1:3]
        if self.area:
            top, left, h, w = spatial.random_resized_box(height, width, self.area, self.aspect, rng)
            box_THWC = frames_THWC[:, top : top + h, left : left + w]
            clip_CTHW = spatial.to_float(box_THWC, self.norm.mean, self.norm.std)
            return spatial.resize(clip_CTHW, self.size, self.size)
        side = max(spatial.jitter_size(self.jitter, rng), self.size)
        clip_CTHW = spatial.to_float(frames_THWC, self.norm.mean, self.norm.std)
        clip_CTHW = spatial.resize_short_side(clip_CTHW, side)
        top, left = spatial.random_crop_offset(*clip_CTHW.shape[-2:], self.size, rng)
        return clip_CTHW[..., top : top + self.size, left : left + self.size]
