"""From frames to network inputs: test views and crops cut from one decode, and training clips."""

import itertools
import math
import weakref
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import get_worker_info

from slowfast.datasets.whole_batch import Cut
from slowfast.transforms import spatial
from slowfast.transforms.darken import darken, random_darkening
from slowfast.transforms.erasing import random_erase_
from slowfast.transforms.gamma import apply_gamma, gamma_table
from slowfast.transforms.rand_augment import RandAugment, apply_plan

# Frames are resized in pieces whose float copies stay in the processor's cache and in memory that is reused.
_CHUNK_VALUES = 1 << 20


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

    def write(self, levels: torch.Tensor, out: torch.Tensor) -> None:
        """Write levels (3, ...) as network input to `out`, in one pass."""
        spatial.normalise_to(levels, self.mean, self.std, out)

    def end(self, clips: torch.Tensor) -> None:
        """Subtract what is to be subtracted of the means over time of clips (..., T, H, W), in place."""
        if self.temporal_mean:
            clips.copy_(spatial.subtract_temporal_mean(clips, self.temporal_mean))


class EvalFrames(NamedTuple):
    """Decoded frames of one video before gamma, resizing and crops.

    Args:
        frames_NHWC: uint8, the different frames that the views need.
        rows_VT: int64, for each temporal view, which of these frames make it.
    """

    frames_NHWC: torch.Tensor
    rows_VT: torch.Tensor


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
        video = EvalFrames(torch.from_numpy(frames_NHWC), torch.from_numpy(rows_VT))
        out_VCTHW = empty_clips(self.shape(video))
        self.finish(video, out_VCTHW)
        return out_VCTHW

    def shape(self, video: EvalFrames) -> tuple[int, ...]:
        """Return the shape of the clips of a video: (views * crops, 3, T, size, size)."""
        views, num_frames = video.rows_VT.shape
        return views * self.crops, 3, num_frames, self.size, self.size

    def finish(self, video: EvalFrames, out_VCTHW: torch.Tensor) -> None:
        """Write the clips of a video to `out_VCTHW`, on its device; see `__call__`."""
        resized = spatial.short_side_size(*video.frames_NHWC.shape[1:3], self.size)
        step = _frames_at_once(video.frames_NHWC, resized, out_VCTHW.device)
        places = _places(video.rows_VT.numpy(), len(video.frames_NHWC))
        for first in range(0, len(video.frames_NHWC), step):
            levels_CNHW = _planes(video.frames_NHWC[first : first + step], out_VCTHW.device, self.gamma)
            resized_CNHW = spatial.resize_short_side(levels_CNHW, self.size)
            offsets = [spatial.crop_offset(*resized_CNHW.shape[-2:], self.size, crop) for crop in self._crops]
            windows = [spatial.cut(resized_CNHW, self.size, *offset) for offset in offsets]
            for row in range(resized_CNHW.shape[1]):
                for (view, time), (crop, window) in itertools.product(places[first + row], enumerate(windows)):
                    self.norm.write(window[:, row], out_VCTHW[view * self.crops + crop, :, time])
        self.norm.end(out_VCTHW)

    def cuts(self, video: EvalFrames) -> list[Cut]:
        """Return where the clips of a video come from, for a whole batch at once."""
        resized = spatial.short_side_size(*video.frames_NHWC.shape[1:3], self.size)
        offsets = [spatial.crop_offset(*resized, self.size, crop) for crop in self._crops]
        return [Cut(video.frames_NHWC, rows_T, resized, at) for rows_T in video.rows_VT.numpy() for at in offsets]

    def erase(self, video: EvalFrames, out_VCTHW: torch.Tensor) -> None:
        """Do nothing: only training clips are erased."""

    @property
    def _crops(self) -> tuple[int, ...]:
        """Return the crops along the long side: left or top, centre, right or bottom."""
        return (0, 1, 2) if self.crops == 3 else (1,)


class TrainFrames(NamedTuple):
    """A training clip after everything that is done on uint8 frames.

    Args:
        frames_THWC: uint8, already cut when the crop comes before resizing.
        resized: (height, width) to resize to.
        offset: (top, left) of the crop after resizing.
        flip: mirror.
        rng: of the erasing.
    """

    frames_THWC: torch.Tensor
    resized: tuple[int, int]
    offset: tuple[int, int]
    flip: bool
    rng: np.random.Generator


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
        darken_prob: share of clips that a camera model darkens.
        dark_gamma: exponent for these, that of dark clips; None takes `gamma`.
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
    darken_prob: float = 0.0
    dark_gamma: float | None = None
    rand_augment: RandAugment | None = None
    erase_prob: float = 0.0
    erase_mode: str = "pixel"
    erase_count: int = 1

    def prepare(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> TrainFrames:
        """Draw one augmentation, and do what is done on uint8 frames: darkness, gamma, RandAugment, the crop's box."""
        gamma = self.gamma
        if self.darken_prob and rng.random() < self.darken_prob:
            frames_THWC = darken(frames_THWC, random_darkening(frames_THWC, rng), rng)
            gamma = gamma if self.dark_gamma is None else self.dark_gamma
        frames_THWC = apply_gamma(frames_THWC, gamma)
        plan = self.rand_augment.draw(rng) if self.rand_augment is not None else []
        height, width = frames_THWC.shape[1:3]
        if self.area:
            box = spatial.random_resized_box(height, width, self.area, self.aspect, rng)
            resized, offset = (self.size, self.size), (0, 0)
        else:
            box = None
            side = max(spatial.jitter_size(self.jitter, rng), self.size)
            resized = spatial.short_side_size(height, width, side)
            offset = spatial.random_crop_offset(*resized, self.size, rng)
        flip = bool(self.flip and rng.random() < 0.5)
        frames_THWC = apply_plan(frames_THWC, plan, self.rand_augment.interpolation if plan else "", box)
        return TrainFrames(torch.from_numpy(np.require(frames_THWC, requirements="W")), resized, offset, flip, rng)

    def shape(self, clip: TrainFrames) -> tuple[int, ...]:
        """Return the shape of one clip with a leading 1: (1, 3, T, size, size)."""
        return 1, 3, len(clip.frames_THWC), self.size, self.size

    def finish(self, clip: TrainFrames, out_VCTHW: torch.Tensor) -> None:
        """Resize, cut, mirror, normalise and erase, on the device of `out_VCTHW`, float32 (1, 3, T, size, size)."""
        out_CTHW = out_VCTHW[0]
        step = _frames_at_once(clip.frames_THWC, clip.resized, out_CTHW.device)
        for first in range(0, len(clip.frames_THWC), step):
            levels_CTHW = _planes(clip.frames_THWC[first : first + step], out_CTHW.device)
            chunk_CTHW = spatial.cut(spatial.resize(levels_CTHW, *clip.resized), self.size, *clip.offset)
            self.norm.write(chunk_CTHW.flip(-1) if clip.flip else chunk_CTHW, out_CTHW[:, first : first + step])
        self.norm.end(out_CTHW)
        self.erase(clip, out_VCTHW)

    def cuts(self, clip: TrainFrames) -> list[Cut]:
        """Return where the clip comes from, for a whole batch at once."""
        return [Cut(clip.frames_THWC, np.arange(len(clip.frames_THWC)), clip.resized, clip.offset, clip.flip)]

    def erase(self, clip: TrainFrames, out_VCTHW: torch.Tensor) -> None:
        """Erase random boxes of a normalised clip (1, 3, T, size, size)."""
        random_erase_(out_VCTHW[0], clip.rng, prob=self.erase_prob, mode=self.erase_mode, count=self.erase_count)


def empty_clips(shape: tuple[int, ...], device: str | torch.device = "cpu") -> torch.Tensor:
    """Return an uninitialised float32 tensor, where it will be needed: on a device, or shared by a worker.

    In the process itself NumPy allocates it, since it asks for large pages, which are cheaper to write first.
    """
    if torch.device(device).type != "cpu":
        return torch.empty(shape, device=device)
    if get_worker_info() is None:
        return _host_tensor(shape)
    storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
    return torch.empty(0).set_(storage, 0, shape)


# Memory of the last batches of this process, each with the array through which tensors use it.
_USED: list[tuple[np.ndarray, weakref.ref]] = []


def _host_tensor(shape: tuple[int, ...]) -> torch.Tensor:
    """Return an uninitialised float32 tensor in the memory of an earlier one that is gone, since fresh memory is slow.

    Two are kept, because a loop holds its batch while the next one is made.
    """
    size = math.prod(shape)
    free = [memory for memory, user in _USED if memory.size >= size and user() is None]
    memory = min(free, key=len, default=None)
    memory = np.empty(size, np.float32) if memory is None else memory
    array = memory[:size].reshape(shape)
    _USED[:] = [(memory, weakref.ref(array)), *(entry for entry in _USED if entry[0] is not memory)][:2]
    return torch.from_numpy(array)


def _frames_at_once(frames_THWC: torch.Tensor, resized: tuple[int, int], device: str | torch.device) -> int:
    """Return how many frames one piece of work has, before and after resizing to (height, width): all on a GPU."""
    if torch.device(device).type != "cpu":
        return max(1, len(frames_THWC))
    return max(1, _CHUNK_VALUES // max(1, frames_THWC[0].numel(), 3 * math.prod(resized)))


def _planes(frames_THWC: torch.Tensor, device: str | torch.device, gamma: float = 1.0) -> torch.Tensor:
    """Return uint8 frames as float32 levels (3, T, H, W) on a device, after gamma correction."""
    if torch.device(device).type == "cpu":
        frames_THWC = torch.from_numpy(apply_gamma(frames_THWC.numpy(), gamma))
    levels_CTHW = frames_THWC.to(device, non_blocking=True).permute(3, 0, 1, 2)
    if torch.device(device).type != "cpu" and gamma != 1.0:
        levels_CTHW = torch.from_numpy(gamma_table(gamma)).to(device)[levels_CTHW.long()]
    return levels_CTHW.to(torch.float32, memory_format=torch.contiguous_format)


def _places(rows_VT: np.ndarray, count: int) -> list[list[tuple[int, int]]]:
    """Return for each of `count` frames where it belongs: (view, time) pairs."""
    places: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for (view, time), row in np.ndenumerate(rows_VT):
        places[row].append((view, time))
    return places
