"""Items of training and evaluation: one record in, its clips out; a damaged video never raises here, it is reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import Dataset

from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.records import ClipRecord
from slowfast.datasets.sampler import Key
from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.views import EvalFrames, EvalViews, TrainFrames, TrainViews, empty_clips
from slowfast.video import VideoError

# Other videos tried in the place of a damaged one before the item is given up.
REPLACEMENTS = 10
# (row, name, reason) of a video that cannot be read, or of one that was read in part.
Report = tuple[int, str, str]


@dataclass
class Item:
    """The clips of one list row.

    Args:
        clips: float32 (n, 3, T, H, W), or what a device makes them of; None when nothing could be read.
        record: the row that the clips come from.
        failed: rows that could not be read.
        partial: rows of which frames are missing.
    """

    clips: torch.Tensor | list[TrainFrames] | list[EvalFrames] | None
    record: ClipRecord
    failed: list[Report] = field(default_factory=list)
    partial: list[Report] = field(default_factory=list)


class ClipDataset(Dataset):
    """What training and evaluation share: records, their frames, and which rows are known to be damaged.

    Args:
        records: rows of the list.
        source: where frames come from.
        sampling: frame choice.
    """

    def __init__(self, *, records: Sequence[ClipRecord], source: FrameSource, sampling: FrameSampling) -> None:
        self.records, self.source, self.sampling = records, source, sampling
        self.damaged: dict[int, str] = {}
        # Told the row before a file is opened and -1 after it, so that a worker that dies can be explained.
        self.announce: Callable[[int], None] = _ignore

    def __len__(self) -> int:
        return len(self.records)

    def _frames(self, index: int, choose: Callable[[int], np.ndarray], item: Item) -> np.ndarray | None:
        """Return the chosen frames of a row, or None after noting the failure; a damaged file is tried once."""
        record = self.records[index]
        if index not in self.damaged:
            self.announce(index)
            try:
                frames_THWC, problems = self.source.read(record.path, choose)
            except VideoError as error:
                self.damaged[index] = error.reason
            else:
                item.partial += [(index, record.name, problems)] if problems else []
                return frames_THWC
            finally:
                self.announce(-1)
        item.failed.append((index, record.name, self.damaged[index]))
        return None


class TrainDataset(ClipDataset):
    """Augmented clips; a damaged video is replaced by another row and reported.

    Args:
        records: rows of the list.
        source: where frames come from.
        sampling: frame choice.
        views: augmentation.
        num_samples: augmented copies of the same frames.
        seed: of the run and split; results depend on it, the epoch and the row only, not on workers.
        deferred: hand over uint8 frames, `finish` makes clips of them later.
    """

    def __init__(
        self,
        *,
        records: Sequence[ClipRecord],
        source: FrameSource,
        sampling: FrameSampling,
        views: TrainViews,
        num_samples: int = 1,
        seed: int = 0,
        deferred: bool = False,
    ) -> None:
        super().__init__(records=records, source=source, sampling=sampling)
        self.views, self.num_samples, self.seed, self.deferred = views, num_samples, seed, deferred

    def __getitem__(self, key: Key | int) -> Item:
        """Return `num_samples` augmentations of a row, or of its replacement."""
        key = key if isinstance(key, Key) else Key(int(key))
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.draw])
        item = Item(None, self.records[key.index])
        index = key.index
        for _ in range(1 + REPLACEMENTS):
            frames_THWC = self._frames(index, lambda length: self.sampling.train(length, rng), item)
            if frames_THWC is not None:
                item.clips, item.record = self._augment(frames_THWC, rng), self.records[index]
                break
            index = int(rng.integers(len(self.records)))
        return item

    def _augment(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> torch.Tensor | list[TrainFrames]:
        """Return all augmented copies of the same frames."""
        prepared = [self.views.prepare(frames_THWC, copy_rng) for copy_rng in rng.spawn(self.num_samples)]
        return prepared if self.deferred else self.finish(prepared)

    def finish(self, prepared: Sequence[TrainFrames], device: str | torch.device = "cpu") -> torch.Tensor:
        """Return the clips of prepared frames, float32 (n, 3, T, size, size), computed on a device."""
        size = self.views.size
        clips = empty_clips((len(prepared), 3, len(prepared[0].frames_THWC), size, size), device)
        for clip_CTHW, frames in zip(clips, prepared):
            self.views.finish(frames, clip_CTHW)
        return clips


class EvalDataset(ClipDataset):
    """All views and crops of a video from one decode.

    Args:
        records: rows of the list.
        source: where frames come from.
        sampling: frame choice.
        views: crops and normalisation.
        num_views: temporal views.
        deferred: hand over uint8 frames, `finish` makes clips of them later.
    """

    def __init__(
        self,
        *,
        records: Sequence[ClipRecord],
        source: FrameSource,
        sampling: FrameSampling,
        views: EvalViews,
        num_views: int = 1,
        deferred: bool = False,
    ) -> None:
        super().__init__(records=records, source=source, sampling=sampling)
        self.views, self.num_views, self.deferred = views, num_views, deferred

    def __getitem__(self, key: Key | int) -> Item:
        """Return the clips of a row, float32 (views * crops, 3, T, H, W)."""
        index = key.index if isinstance(key, Key) else int(key)
        item = Item(None, self.records[index])
        rows_VT: list[np.ndarray] = []

        def needed(length: int) -> np.ndarray:
            unique, rows = np.unique(self.sampling.test(length, self.num_views), return_inverse=True)
            rows_VT.append(rows.reshape(self.num_views, -1))
            return unique

        frames_NHWC = self._frames(index, needed, item)
        if frames_NHWC is not None and self.deferred:
            item.clips = [EvalFrames(torch.from_numpy(frames_NHWC), torch.from_numpy(rows_VT[0]))]
        elif frames_NHWC is not None:
            item.clips = self.views(frames_NHWC, rows_VT[0])
        return item

    def finish(self, videos: Sequence[EvalFrames], device: str | torch.device = "cpu") -> torch.Tensor:
        """Return the clips of several videos, float32 (n * views * crops, 3, T, size, size), computed on a device."""
        return torch.cat([self.views.finish(video, device) for video in videos])


def collate_train(items: Sequence[Item]) -> dict[str, object]:
    """Return a training batch: every value repeated for the adjacent copies of a video.

    Returns:
        `clips` float32 (B, 3, T, H, W), `labels` and `index` int64 (B,), `names` (B strings), `probs` float32 (B, K)
        for pseudo-label lists, `failed` and `partial`.
    """
    good = [item for item in items if item.clips is not None]
    return _batch(items, [item.record for item in good for _ in range(len(item.clips))])


def collate_eval(items: Sequence[Item]) -> dict[str, object]:
    """Return an evaluation batch of the B videos that could be read.

    Returns:
        `clips` float32 (B * V, 3, T, H, W), video-major; `labels` and `index` int64 (B,), `names` (B strings),
        `failed` and `partial`.
    """
    return _batch(items, [item.record for item in items if item.clips is not None])


def _batch(items: Sequence[Item], records: Sequence[ClipRecord]) -> dict[str, object]:
    """Return the clips of all items one after another, with one value per given record."""
    clips = [item.clips for item in items if item.clips is not None]
    deferred = bool(clips) and isinstance(clips[0], list)
    batch: dict[str, object] = {
        "clips": sum(clips, []) if deferred else torch.cat(clips) if clips else torch.empty(0),
        "labels": torch.tensor([record.label for record in records], dtype=torch.int64),
        "index": torch.tensor([record.row for record in records], dtype=torch.int64),
        "names": [record.name for record in records],
        "failed": [report for item in items for report in item.failed],
        "partial": [report for item in items for report in item.partial],
    }
    if records and all(record.probs is not None for record in records):
        batch["probs"] = torch.from_numpy(np.stack([record.probs for record in records]))
    return batch


def _ignore(_: int) -> None:
    """Do nothing with an announcement."""
