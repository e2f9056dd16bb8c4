"""Which frames make a window: pure functions of the length, and the same windows from a stream of unknown length.

Legend: B windows of a batch, T frames of a window, M different frames of a batch, N = B * T, C channels, H W pixels.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from slowfast.video.stream import StreamedFrame

# Threads that prepare frames while the next ones are decoded, and frames that may wait for them.
_PREPARERS = 2
_WAITING = 4


@dataclass(frozen=True)
class WindowPlan:
    """How windows lie on a video.

    Args:
        num_frames: T, frames that the network sees of a window.
        sampling_rate: step between these frames; a window spans num_frames * sampling_rate frames.
        stride: frames from the start of a window to that of the next one.
        tail: frames behind the last whole window: `drop` leaves them out, `pad` makes one more window (also of a
            video shorter than one) that repeats its last sampled frame.
    """

    num_frames: int
    sampling_rate: int = 1
    stride: int = 16
    tail: str = "drop"

    @property
    def window(self) -> int:
        """Frames that a window spans."""
        return self.num_frames * self.sampling_rate

    def starts(self, length: int) -> np.ndarray:
        """Return the first frames of all windows of a video of `length` frames, int64 (N,)."""
        whole = (length - self.window) // self.stride + 1 if length >= self.window else 0
        count = whole + self._has_tail(length, whole)
        return np.arange(count, dtype=np.int64) * self.stride

    def _has_tail(self, length: int, whole: int) -> bool:
        """Return whether one more, padded window follows the whole ones."""
        covered = (whole - 1) * self.stride + self.window if whole else 0
        return self.tail == "pad" and covered < length and whole * self.stride < length

    def frames_of(self, start: int, length: int | None = None) -> np.ndarray:
        """Return the frames of the window that begins at `start`, int64 (T,); past `length` the last one repeats."""
        offsets = np.arange(self.num_frames, dtype=np.int64) * self.sampling_rate
        if length is not None:
            offsets = np.minimum(offsets, (length - 1 - start) // self.sampling_rate * self.sampling_rate)
        return start + offsets

    def uses(self, index: int) -> bool:
        """Return whether any window may show frame `index`."""
        first = max(0, -(-(index - self.window + 1) // self.stride))
        starts = range(first * self.stride, index + 1, self.stride)
        return any((index - start) % self.sampling_rate == 0 for start in starts)


@dataclass(frozen=True)
class WindowBatch:
    """Some windows of one video; a frame that several of them show is there once, as the stream holds it.

    Args:
        frames: the M different frames, each float32 (C, 1, H, W).
        rows_BT: which of them make each window, int64.
        start_frame: first frame used, int64 (B,).
        end_frame: last frame used, int64 (B,).
        start_time: seconds of the first frame used, float64 (B,).
        end_time: seconds of the last frame used, float64 (B,).
    """

    frames: tuple[torch.Tensor, ...]
    rows_BT: np.ndarray
    start_frame: np.ndarray
    end_frame: np.ndarray
    start_time: np.ndarray
    end_time: np.ndarray

    def __len__(self) -> int:
        return len(self.start_frame)

    def clips(self, device: torch.device) -> torch.Tensor:
        """Return the windows as float32 (B, 3, T, H, W) on a device; each frame travels once."""
        frames = [frame.to(device, non_blocking=True) for frame in self.frames]
        clips_CNHW = torch.cat([frames[row] for row in self.rows_BT.flatten().tolist()], dim=1)
        return clips_CNHW.unflatten(1, self.rows_BT.shape).transpose(0, 1)


class WindowStream:
    """Batches of windows from frames that come one after another; only what later windows need is held.

    Args:
        frames: frames in order.
        plan: where the windows lie.
        prepare: uint8 (H, W, 3) to float32 (C, 1, H, W); called once for a frame that windows show.
        batch_size: windows of a batch; the last one may have fewer.
    """

    def __init__(
        self,
        frames: Iterable[StreamedFrame],
        *,
        plan: WindowPlan,
        prepare: Callable[[np.ndarray], torch.Tensor],
        batch_size: int,
    ) -> None:
        self.plan, self.batch_size = plan, batch_size
        self.num_frames = 0
        self.last_time = 0.0
        self._frames, self._prepare = frames, prepare
        self._held: dict[int, tuple[Future, float]] = {}
        self._latest: tuple[Callable, Future] | None = None
        self._waiting: deque[Future] = deque()

    def __iter__(self) -> Iterator[WindowBatch]:
        with ThreadPoolExecutor(_PREPARERS, thread_name_prefix="prepare") as pool:
            yield from self._batches(pool)

    def _batches(self, pool: ThreadPoolExecutor) -> Iterator[WindowBatch]:
        """Yield the batches; frames are prepared in a pool of threads."""
        plan, start = self.plan, 0
        windows: list[np.ndarray] = []
        for frame in self._frames:
            self._hold(frame, pool)
            if self.num_frames < start + plan.window:
                continue
            windows.append(plan.frames_of(start))
            start += plan.stride
            if len(windows) == self.batch_size:
                yield self._batch(windows)
                windows = []
                self._held = {index: held for index, held in self._held.items() if index >= start}
        if len(plan.starts(self.num_frames)) > start // plan.stride:
            windows.append(plan.frames_of(start, self.num_frames))
        if windows:
            yield self._batch(windows)

    def _hold(self, frame: StreamedFrame, pool: ThreadPoolExecutor) -> None:
        """Count a frame, and let it be prepared when a window shows it; a repeated frame is prepared once."""
        index = self.num_frames
        self.num_frames += 1
        self.last_time = frame.time
        if not self.plan.uses(index):
            return
        if self._latest is None or self._latest[0] is not frame.rgb:
            self._latest = frame.rgb, pool.submit(self._prepare, frame.rgb())
            self._waiting.append(self._latest[1])
            if len(self._waiting) > _WAITING:
                self._waiting.popleft().result()
        self._held[index] = self._latest[1], frame.time

    def _batch(self, windows: list[np.ndarray]) -> WindowBatch:
        """Return a batch of windows that are given by their frames."""
        frames_BT = np.stack(windows)
        needed, rows = np.unique(frames_BT, return_inverse=True)
        first, last = frames_BT[:, 0], frames_BT[:, -1]
        return WindowBatch(
            frames=tuple(self._held[index][0].result() for index in needed.tolist()),
            rows_BT=rows.reshape(frames_BT.shape),
            start_frame=first,
            end_frame=last,
            start_time=np.array([self._held[index][1] for index in first.tolist()]),
            end_time=np.array([self._held[index][1] for index in last.tolist()]),
        )
