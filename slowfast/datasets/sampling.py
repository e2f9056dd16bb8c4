"""Which frames of a video make a clip: pure functions of its length.

`view=None` draws for training; a number gives that test view. Every function returns int64 (T,), ascending.
"""

from dataclasses import dataclass

import numpy as np
import torch

Rng = np.random.Generator | int | None


def uniform_indices(
    length: int, num_frames: int, view: int | None = None, num_views: int = 1, rng: Rng = None
) -> np.ndarray:
    """Return one frame from each of `num_frames` equal segments (TSN sampling, Wang et al. 2016; `ug2_sparse`).

    Args:
        length: frames of the video.
        num_frames: T, frames of the clip.
        view: test view 0..num_views-1, or None to draw each frame uniformly in its segment, both ends included.
        num_views: number of test views.
        rng: source of randomness (or a seed) of the training draw.
    """
    _check(length, num_frames, view, num_views)
    step = (length - 1) / num_frames
    edges = np.round(step * np.arange(num_frames + 1)).astype(np.int64)
    if view is None:
        return np.random.default_rng(rng).integers(edges[:-1], edges[1:], endpoint=True)
    return edges[:-1] + int(step / (num_views + 1) * (view + 1))


def dense_indices(
    length: int, num_frames: int, sampling_rate: int, view: int | None = None, num_views: int = 1, rng: Rng = None
) -> np.ndarray:
    """Return frames `sampling_rate` apart from one start; test views reach from the first to the last start (`ug2`).

    Args:
        length: frames of the video.
        num_frames: T, frames of the clip.
        sampling_rate: frame step; the clip spans num_frames * sampling_rate frames.
        view: test view 0..num_views-1 (one view: the middle), or None to draw the start uniformly.
        num_views: number of test views.
        rng: source of randomness (or a seed) of the training draw.
    """
    _check(length, num_frames, view, num_views)
    room = max(length - num_frames * sampling_rate, 0)
    if view is None:
        start = np.random.default_rng(rng).uniform(0, room)
    elif num_views == 1:
        start = room // 2
    else:
        start = view * (room // (num_views - 1))
    return _from_start(start, length, num_frames, sampling_rate)


def dense_indices_no_offset(
    length: int, num_frames: int, sampling_rate: int, view: int, num_views: int = 1
) -> np.ndarray:
    """Return the test views of dense sampling without USE_OFFSET_SAMPLING: starts at room * view / num_views.

    Args:
        length: frames of the video.
        num_frames: T, frames of the clip.
        sampling_rate: frame step.
        view: test view 0..num_views-1.
        num_views: number of test views.
    """
    _check(length, num_frames, view, num_views)
    room = max(length - num_frames * sampling_rate, 0)
    return _from_start(room * view / num_views, length, num_frames, sampling_rate)


def segment_indices(
    length: int, num_frames: int, view: int | None = None, num_views: int = 1, rng: Rng = None
) -> np.ndarray:
    """Return one frame from each of `num_frames` segments of whole length, as VideoMAE's trimmed clips (`track3`).

    Args:
        length: frames of the video; with fewer than `num_frames`, training repeats frame 0.
        num_frames: T, frames of the clip.
        view: test view (0: starts, 1: middles of the segments), or None to draw each frame in its segment.
        num_views: number of test views, 1 or 2.
        rng: source of randomness (or a seed) of the training draw.
    """
    _check(length, num_frames, view, num_views)
    if view is None:
        step = length // num_frames
        draw = np.random.default_rng(rng).integers(step, size=num_frames) if step else 0
        return np.arange(num_frames, dtype=np.int64) * step + draw
    return segment_test_frames(length, num_frames)[view::2]


def segment_test_frames(length: int, num_frames: int, num_segments: int = 1) -> np.ndarray:
    """Return the sorted starts and middles of the segments, from which test view c takes every second one from c on.

    Args:
        length: frames of the video.
        num_frames: T, number of segments.
        num_segments: upstream's test_num_segment; more than 2 pad the list with the last start (and give views of more
            than T frames, which the network has no positions for).

    Returns:
        int64 (T * max(2, num_segments),).
    """
    tick = length / num_frames
    places = [tick / 2 + tick * place for place in range(num_frames)] + [tick * place for place in range(num_frames)]
    places += places[-1:] * (num_frames * num_segments - len(places))
    return np.sort(np.array(places).astype(np.int64))


def _from_start(start: float, length: int, num_frames: int, sampling_rate: int) -> np.ndarray:
    """Return indices from a start that need not be whole: linspace in float32, clamped, truncated."""
    end = start + num_frames * sampling_rate - 1
    line = torch.linspace(float(start), float(end), num_frames, dtype=torch.float32)
    return line.clamp(0, length - 1).long().numpy()


def _check(length: int, num_frames: int, view: int | None, num_views: int) -> None:
    """Refuse lengths and views that make no sense."""
    if length < 1 or num_frames < 1:
        raise ValueError(f"length {length} and num_frames {num_frames}: at least 1 is needed")
    if view is not None and not 0 <= view < num_views:
        raise ValueError(f"view {view} lies outside 0..{num_views - 1}")


_PER_SEGMENT = {"uniform": uniform_indices, "segment": segment_indices}


@dataclass(frozen=True)
class FrameSampling:
    """How a clip's frames are chosen.

    Args:
        kind: `uniform` (one per segment), `dense` (a fixed step) or `segment` (one per segment of whole length).
        num_frames: T.
        sampling_rate: frame step of dense sampling.
        use_offset: dense test views reach from the first to the last start.
    """

    kind: str
    num_frames: int
    sampling_rate: int = 1
    use_offset: bool = True

    def train(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Return one random clip's frames, int64 (T,)."""
        if self.kind in _PER_SEGMENT:
            return _PER_SEGMENT[self.kind](length, self.num_frames, rng=rng)
        return dense_indices(length, self.num_frames, self.sampling_rate, rng=rng)

    def test(self, length: int, num_views: int) -> np.ndarray:
        """Return the frames of all test views, int64 (V, T)."""
        return np.stack([self._view(length, view, num_views) for view in range(num_views)])

    def places(self, few: int, many: int) -> tuple[int, ...]:
        """Return which of `many` test views have the frames of `few` test views, whatever the video; empty: not all."""
        if few == many:
            return tuple(range(many))
        if few != 1 or self.kind == "segment":
            return ()
        if self.kind == "dense" and not self.use_offset:
            return (0,)
        return (1,) if many == 3 else ()

    def _view(self, length: int, view: int, num_views: int) -> np.ndarray:
        """Return the frames of one test view."""
        if self.kind in _PER_SEGMENT:
            return _PER_SEGMENT[self.kind](length, self.num_frames, view, num_views)
        if self.use_offset:
            return dense_indices(length, self.num_frames, self.sampling_rate, view, num_views)
        return dense_indices_no_offset(length, self.num_frames, self.sampling_rate, view, num_views)
