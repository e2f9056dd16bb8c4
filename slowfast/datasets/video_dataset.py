"""Items of training and evaluation: one record in, its clips out; a damaged video never raises here, it is reported."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from slowfast.datasets.records import ClipRecord
from slowfast.datasets.sampler import Key
from slowfast.datasets.sampling import dense_indices, dense_indices_no_offset, segment_indices, uniform_indices
from slowfast.datasets.views import EvalViews, TrainViews, empty_float
from slowfast.utils.files import atomic_write
from slowfast.video import VideoError, open_video

# Other videos tried in the place of a damaged one before the item is given up.
REPLACEMENTS = 10
# A decoded clip larger than this is not stored.
MAX_STORED_BYTES = 256 * 2**20
Failure = tuple[int, str, str]
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

    def _view(self, length: int, view: int, num_views: int) -> np.ndarray:
        """Return the frames of one test view."""
        if self.kind in _PER_SEGMENT:
            return _PER_SEGMENT[self.kind](length, self.num_frames, view, num_views)
        if self.use_offset:
            return dense_indices(length, self.num_frames, self.sampling_rate, view, num_views)
        return dense_indices_no_offset(length, self.num_frames, self.sampling_rate, view, num_views)


class FrameSource:
    """Frames of video files, with an optional store of decoded clips that the processes of a machine share.

    Args:
        backend: decoder.
        cache_dir: folder of decoded clips (one uint8 array a file, read through the page cache); None switches it off.
    """

    def __init__(self, backend: str = "pyav", cache_dir: Path | None = None) -> None:
        self.backend, self.cache_dir = backend, cache_dir

    def read(self, path: str, choose: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the frames that `choose(number of frames)` asks for, uint8 (T, H, W, 3).

        Raises:
            VideoError: when the file cannot be read.
        """
        stored = self._stored(path)
        clip_THWC = _load_stored(stored) if stored is not None else None
        if clip_THWC is not None:
            return np.ascontiguousarray(clip_THWC[choose(len(clip_THWC))])
        video = open_video(path, self.backend)
        try:
            length = len(video)
            frames_THWC = video.get_frames(choose(length))
            if stored is not None and frames_THWC[0].nbytes * length <= MAX_STORED_BYTES:
                with atomic_write(stored) as aside, open(aside, "wb") as handle:
                    np.save(handle, video.get_frames(np.arange(length)), allow_pickle=False)
        finally:
            video.close()
        return frames_THWC

    def _stored(self, path: str) -> Path | None:
        """Return where the decoded clip of a file lies; a changed file has another place."""
        if self.cache_dir is None:
            return None
        try:
            facts = os.stat(path)
        except OSError:
            return None
        key = f"{path}|{facts.st_size}|{facts.st_mtime_ns}|{self.backend}"
        return self.cache_dir / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"


def _load_stored(path: Path) -> np.ndarray | None:
    """Return a stored clip without reading it all, or None when there is none that can be read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None


@dataclass
class Item:
    """The clips of one list row.

    Args:
        clips: float32 (n, 3, T, H, W), None when nothing could be read.
        record: the row that the clips come from.
        failed: rows that could not be read: (index, name, reason).
    """

    clips: torch.Tensor | None
    record: ClipRecord
    failed: list[Failure] = field(default_factory=list)


class TrainDataset(Dataset):
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
        self.records, self.source, self.sampling, self.views = records, source, sampling, views
        self.num_samples, self.seed = num_samples, seed
        self._damaged: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Key | int) -> Item:
        """Return `num_samples` augmentations of a row, or of its replacement."""
        key = key if isinstance(key, Key) else Key(int(key))
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.draw])
        failed: list[Failure] = []
        index = key.index
        for _ in range(1 + REPLACEMENTS):
            record = self.records[index]
            frames_THWC = self._frames(index, record, rng, failed)
            if frames_THWC is not None:
                return Item(self._augment(frames_THWC, rng), record, failed)
            index = int(rng.integers(len(self.records)))
        return Item(None, self.records[key.index], failed)

    def _augment(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return all augmented copies of the same frames, float32 (num_samples, 3, T, size, size)."""
        size = self.views.size
        clips = empty_float((self.num_samples, 3, len(frames_THWC), size, size))
        for clip_CTHW, copy_rng in zip(clips, rng.spawn(self.num_samples)):
            self.views(frames_THWC, copy_rng, clip_CTHW)
        return clips

    def _frames(
        self, index: int, record: ClipRecord, rng: np.random.Generator, failed: list[Failure]
    ) -> np.ndarray | None:
        """Return the sampled frames of a row, or None after noting the failure; damaged files are tried once."""
        if index not in self._damaged:
            try:
                return self.source.read(record.path, lambda length: self.sampling.train(length, rng))
            except VideoError as error:
                self._damaged[index] = error.reason
        failed.append((index, record.name, self._damaged[index]))
        return None


class EvalDataset(Dataset):
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
        self.records, self.source, self.sampling, self.views = records, source, sampling, views
        self.num_views = num_views

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Key | int) -> Item:
        """Return the clips of a row, float32 (views * crops, 3, T, H, W)."""
        index = key.index if isinstance(key, Key) else int(key)
        record = self.records[index]
        rows_VT: list[np.ndarray] = []

        def needed(length: int) -> np.ndarray:
            unique, rows = np.unique(self.sampling.test(length, self.num_views), return_inverse=True)
            rows_VT.append(rows.reshape(self.num_views, -1))
            return unique

        try:
            frames_NHWC = self.source.read(record.path, needed)
        except VideoError as error:
            return Item(None, record, [(index, record.name, error.reason)])
        return Item(self.views(frames_NHWC, rows_VT[0]), record)


def collate_train(items: Sequence[Item]) -> dict[str, object]:
    """Return a training batch: every value repeated for the adjacent copies of a video.

    Returns:
        `clips` float32 (B, 3, T, H, W), `labels` and `index` int64 (B,), `names` (B strings), `probs` float32 (B, K)
        for pseudo-label lists, and `failed`.
    """
    good = [item for item in items if item.clips is not None]
    return _batch(items, [item.record for item in good for _ in range(len(item.clips))])


def collate_eval(items: Sequence[Item]) -> dict[str, object]:
    """Return an evaluation batch of the B videos that could be read.

    Returns:
        `clips` float32 (B * V, 3, T, H, W), video-major; `labels` and `index` int64 (B,), `names` (B strings), and
        `failed`.
    """
    return _batch(items, [item.record for item in items if item.clips is not None])


def _batch(items: Sequence[Item], records: Sequence[ClipRecord]) -> dict[str, object]:
    """Return the clips of all items one after another, with one value per given record."""
    clips = [item.clips for item in items if item.clips is not None]
    batch: dict[str, object] = {
        "clips": torch.cat(clips) if clips else torch.empty(0),
        "labels": torch.tensor([record.label for record in records], dtype=torch.int64),
        "index": torch.tensor([record.row for record in records], dtype=torch.int64),
        "names": [record.name for record in records],
        "failed": [failure for item in items for failure in item.failed],
    }
    if records and all(record.probs is not None for record in records):
        batch["probs"] = torch.from_numpy(np.stack([record.probs for record in records]))
    return batch
