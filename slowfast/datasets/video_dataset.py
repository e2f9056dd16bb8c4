"""Items of training and evaluation: one record in, its clips out; a damaged video never raises here, it is reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import Dataset

from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.paired import PairedViews
from slowfast.datasets.sampler import Key
from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.views import EvalFrames, EvalViews, TrainFrames, TrainViews, empty_clips
from slowfast.datasets.whole_batch import cut_levels
from slowfast.lists.records import ClipRecord
from slowfast.transforms.gamma import apply_gamma
from slowfast.video import VideoError

# Other videos tried in the place of a damaged one before the item is given up.
REPLACEMENTS = 10
# (row, name, reason) of a video that cannot be read, or of one that was read in part.
Report = tuple[int, str, str]


@dataclass
class Item:
    """The frames of one list row.

    Args:
        frames: what its clips are made of (one entry per training clip, or one per test video), None when nothing
            could be read.
        record: the row that the clips come from.
        failed: rows that could not be read.
        partial: rows of which frames are missing.
    """

    frames: list[TrainFrames] | list[EvalFrames] | None
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
    ) -> None:
        super().__init__(records=records, source=source, sampling=sampling)
        self.views, self.num_samples, self.seed = views, num_samples, seed

    def __getitem__(self, key: Key | int) -> Item:
        """Return the frames of `num_samples` augmentations of a row, or of its replacement."""
        key = key if isinstance(key, Key) else Key(int(key))
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.draw])
        item = Item(None, self.records[key.index])
        index = key.index
        for _ in range(1 + REPLACEMENTS):
            frames_THWC = self._frames(index, lambda length: self.sampling.train(length, rng), item)
            if frames_THWC is not None:
                item.frames, item.record = self._augment(frames_THWC, rng), self.records[index]
                break
            index = int(rng.integers(len(self.records)))
        return item

    def _augment(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> list[TrainFrames]:
        """Return all augmented copies of the same frames."""
        return [self.views.prepare(frames_THWC, copy_rng) for copy_rng in rng.spawn(self.num_samples)]


class FixedViews(TrainDataset):
    """The same augmented clips every time: `draw` of a key numbers the view, which depends on the file's content only.

    Args:
        like: training items whose records, frames and augmentation these are.
        digests: of the files of the rows.
    """

    def __init__(self, like: TrainDataset, digests: Sequence[str]) -> None:
        super().__init__(records=like.records, source=like.source, sampling=like.sampling, views=like.views)
        self.digests = digests

    def __getitem__(self, key: Key) -> Item:
        """Return the frames of one view; a damaged video is reported and nothing stands in for it."""
        rng = np.random.default_rng([*self.digests[key.index].encode(), key.draw])
        item = Item(None, self.records[key.index])
        frames_THWC = self._frames(key.index, lambda length: self.sampling.train(length, rng), item)
        if frames_THWC is not None:
            item.frames = self._augment(frames_THWC, rng)
        return item


class EvalDataset(ClipDataset):
    """All views and crops of a video from one decode.

    Args:
        records: rows of the list.
        source: where frames come from.
        sampling: frame choice.
        views: crops and normalisation.
        num_views: temporal views.
    """

    def __init__(
        self,
        *,
        records: Sequence[ClipRecord],
        source: FrameSource,
        sampling: FrameSampling,
        views: EvalViews,
        num_views: int = 1,
    ) -> None:
        super().__init__(records=records, source=source, sampling=sampling)
        self.views, self.num_views = views, num_views

    def __getitem__(self, key: Key | int) -> Item:
        """Return the frames of a row that its views need."""
        index = key.index if isinstance(key, Key) else int(key)
        item = Item(None, self.records[index])
        rows_VT: list[np.ndarray] = []

        def needed(length: int) -> np.ndarray:
            unique, rows = np.unique(self.sampling.test(length, self.num_views), return_inverse=True)
            rows_VT.append(rows.reshape(self.num_views, -1))
            return unique

        frames_NHWC = self._frames(index, needed, item)
        if frames_NHWC is not None:
            gamma = item.record.gamma
            frames_NHWC = frames_NHWC if gamma is None else apply_gamma(frames_NHWC, gamma)
            item.frames = [EvalFrames(torch.from_numpy(frames_NHWC), torch.from_numpy(rows_VT[0]))]
        return item


class Collate:
    """Items to a batch.

    The batch has `clips` float32 (B * n, 3, T, H, W), video-major; `labels` and `index` int64, `names`, `probs` float32
    (-, K) for pseudo-label lists, `failed` and `partial`. In training every value is repeated for the n adjacent copies
    of a video; in evaluation there is one value per video and n is views times crops. Videos that could not be read
    are in `failed` only.

    Args:
        views: makes clips of frames.
        repeat: one value per clip (training) instead of one per video.
        deferred: leave the frames as they are in `clips`; `finish` makes clips of them later.
    """

    def __init__(self, views: EvalViews | TrainViews, *, repeat: bool, deferred: bool = False) -> None:
        self.views, self.repeat, self.deferred = views, repeat, deferred

    def __call__(self, items: Sequence[Item]) -> dict[str, object]:
        """Return the batch of some items."""
        good = [item for item in items if item.frames is not None]
        frames = [entry for item in good for entry in item.frames]
        records = [item.record for item in good for _ in range(len(item.frames) if self.repeat else 1)]
        batch: dict[str, object] = {
            "clips": frames if self.deferred and frames else self.finish(frames),
            "labels": torch.tensor([record.label for record in records], dtype=torch.int64),
            "index": torch.tensor([record.row for record in records], dtype=torch.int64),
            "names": [record.name for record in records],
            "failed": [report for item in items for report in item.failed],
            "partial": [report for item in items for report in item.partial],
        }
        if records and all(record.probs is not None for record in records):
            batch["probs"] = torch.from_numpy(np.stack([record.probs for record in records]))
        return batch

    def finish(
        self, frames: Sequence[TrainFrames] | Sequence[EvalFrames], device: str | torch.device = "cpu"
    ) -> torch.Tensor:
        """Return the clips of frames, float32 (B * n, 3, T, H, W), computed on a device."""
        if not frames:
            return torch.empty(0)
        count, *shape = self.views.shape(frames[0])
        clips = empty_clips((len(frames) * count, *shape), device)
        if torch.device(device).type != "cpu":
            self._at_once(frames, clips)
            return clips
        for part, entry in zip(clips.split(count), frames):
            self.views.finish(entry, part)
        return clips

    def _at_once(self, frames: Sequence[TrainFrames] | Sequence[EvalFrames], clips_BCTHW: torch.Tensor) -> None:
        """Write all clips of a batch in few operations."""
        views = self.views.views[0] if isinstance(self.views, PairedViews) else self.views
        cuts = [cut for entry in frames for cut in self.views.cuts(entry)]
        gamma = views.gamma if isinstance(views, EvalViews) else 1.0  # training frames have theirs already
        levels_BTHWC = cut_levels(cuts, views.size, gamma, clips_BCTHW.device)
        views.norm.write(levels_BTHWC.permute(4, 0, 1, 2, 3), clips_BCTHW.transpose(0, 1))
        views.norm.end(clips_BCTHW)
        for entry, part in zip(frames, clips_BCTHW.split(len(clips_BCTHW) // len(frames))):
            self.views.erase(entry, part)


def _ignore(_: int) -> None:
    """Do nothing with an announcement."""
