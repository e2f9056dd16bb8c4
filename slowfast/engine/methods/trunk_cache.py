"""What a trunk that stays as it is (TRAIN.PROBE) gives for clips: computed once, for all epochs, rounds and jobs.

A file is found by content: that of the clip, the settings of its view, the weights of the trunk, the arithmetic.
Training clips have DATA.FEATURE_VIEWS augmented views each, the same in all epochs and under any list; in evaluation
all views and crops of a video are stored.
"""

import functools
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode

from slowfast.datasets.loader import build_key_loader
from slowfast.datasets.sampler import Key
from slowfast.datasets.video_dataset import FixedViews, TrainDataset
from slowfast.datasets.video_loader import VideoLoader
from slowfast.engine.checkpoint import state_digest, unwrap
from slowfast.models.network import trained_names
from slowfast.parents import ClipDigests
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write
from slowfast.utils.paths import repo_path
from slowfast.utils.precision import Precision
from slowfast.utils.stop import check_stop

logger = logging.getLogger(__name__)


def test_precision(cfg: CfgNode, device: torch.device) -> Precision:
    """Return the arithmetic of everything but training: TEST.MIXED_PRECISION and TEST.TF32."""
    return Precision.choose(cfg.TEST.MIXED_PRECISION, device, tf32=cfg.TEST.TF32)


class TrunkCache:
    """The store of one network.

    Args:
        cfg: DATA.FEATURE_CACHE and DATA.FEATURE_VIEWS are read, and how clips are loaded.
        network: its trunk is in evaluation mode when batches are asked for, and has its weights then.
        device: where it runs.
    """

    def __init__(self, cfg: CfgNode, network: torch.nn.Module, device: torch.device) -> None:
        self.cfg, self.network, self.device = cfg, unwrap(network), device
        self.folder, self.precision = repo_path(cfg.DATA.FEATURE_CACHE), test_precision(cfg, device)

    def wrap(self, loader: VideoLoader, views: Sequence[str] = ()) -> "StoredBatches":
        """Return the batches of a loader with what the trunk gives for their clips in `clips`.

        Raises:
            InputError: a method wants views of its own.
        """
        if views:
            raise InputError(
                "TRAIN.METHOD needs views of its own, which DATA.FEATURE_CACHE does not hold: set it to ''"
            )
        return StoredBatches(self, loader)

    @functools.cached_property
    def identity(self) -> str:
        """Digest of everything but the clip that the values depend on."""
        network, trained = self.network, trained_names(self.network)
        trunk = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(trained)}
        about = (type(network).__name__, trained, network.mean, network.std, self.precision.name)
        return hashlib.sha256(f"{about} {state_digest(trunk)}".encode()).hexdigest()

    def place(self, settings: str, digest: str, view: int) -> Path:
        """Return where the values of a view of a clip lie."""
        key = hashlib.sha256(f"{self.identity} {settings} {digest} {view}".encode()).hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.npy"

    def fill(self, dataset: Any, wanted: dict[Key, Path], name: str, *, clips: int = 1) -> dict[str, str]:
        """Compute what is not there; return {name: reason} of the videos that cannot be read.

        Args:
            dataset: items by key.
            wanted: key of an item -> its place.
            name: of the split, for messages.
            clips: of one item.
        """
        missing = {key: path for key, path in wanted.items() if not path.is_file()}
        if not missing:
            return {}
        logger.info("%s: the trunk runs for %d of %d views, the others are stored", name, len(missing), len(wanted))
        size = max(1, self.cfg.TEST.BATCH_SIZE // clips)
        loader = build_key_loader(self.cfg, dataset, list(missing), name, batch_size=size)
        for keys, batch in zip(loader.sampler.batches, loader):
            check_stop("computing features")
            failed = {row for row, *_ in batch["failed"]}
            read = [missing[key] for key in keys if key.index not in failed]
            for path, values in zip(read, self._forward(batch["clips"], clips) if read else ()):
                with atomic_write(path) as aside, open(aside, "wb") as handle:
                    np.save(handle, values, allow_pickle=False)
        return loader.failed

    @torch.no_grad()
    def _forward(self, clips_BCTHW: torch.Tensor, per_item: int) -> np.ndarray:
        """Return float32 (items, clips of an item, ...) of what the trunk gives."""
        parts = []
        for part in clips_BCTHW.split(max(1, self.cfg.TEST.BATCH_SIZE)):
            with self.precision.active(self.device):
                parts.append(self.network.forward_trunk(part.to(self.device)).float().cpu())
        return torch.cat(parts).unflatten(0, (-1, per_item)).numpy()


class StoredBatches:
    """The batches of a loader, from the store; what is missing is computed before the first one.

    Args:
        cache: the store.
        loader: says which rows a batch has, and how their clips are made.
    """

    def __init__(self, cache: TrunkCache, loader: VideoLoader) -> None:
        self.cache, self.loader = cache, loader
        self.dataset, self.sampler = loader.dataset, loader.sampler
        self.failed: dict[str, str] = {}

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.loader)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch of the next iteration, and the batch with which it begins."""
        self.loader.set_epoch(epoch, start_batch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        make = self._training if isinstance(self.dataset, TrainDataset) else self._evaluation
        yield from make()
        self.sampler.start_batch = 0

    @functools.cached_property
    def _digests(self) -> list[str]:
        """Digests of the files of all rows."""
        return ClipDigests().of([record.path for record in self.dataset.records])

    def _place_of(self, settings: str) -> Callable[[Key], Path]:
        """Return what gives the place of a key."""
        return lambda key: self.cache.place(settings, self._digests[key.index], key.draw)

    @functools.cached_property
    def _places(self) -> dict[Key, Path]:
        """Places of all views of all rows of training; each process computes its share of them."""
        data, views = self.dataset, self.cache.cfg.DATA.FEATURE_VIEWS
        place = self._place_of(f"train {data.views} {data.sampling}")
        keys = [Key(row, draw=view) for row, view in itertools.product(range(len(data)), range(views))]
        places = {key: place(key) for key in keys}
        mine = dict(itertools.islice(places.items(), distributed.rank(), None, distributed.world_size()))
        self.failed = self.cache.fill(FixedViews(data, self._digests), mine, self.loader.name)
        distributed.barrier()
        return places

    @functools.cached_property
    def _readable(self) -> list[int]:
        """Rows whose views are all there."""
        lost = {key.index for key, path in self._places.items() if not path.is_file()}
        rows = [row for row in range(len(self.dataset)) if row not in lost]
        if not rows:
            raise InputError(f"split {self.loader.name!r}: no video can be read, check them with tools/check_videos.py")
        return rows

    def _training(self) -> Iterator[dict[str, Any]]:
        """Yield training batches; another row stands in for one that cannot be read."""
        data, rows = self.dataset, self._readable
        known, views = set(rows), self.cache.cfg.DATA.FEATURE_VIEWS
        for keys in self.sampler:
            chosen = [
                key._replace(index=rows[key.index % len(rows)]) if key.index not in known else key for key in keys
            ]
            copies = [
                Key(key.index, draw=((key.epoch + key.draw) * data.num_samples + copy) % views)
                for key, copy in itertools.product(chosen, range(data.num_samples))
            ]
            records = [data.records[key.index] for key in copies]
            batch = self._batch([_load(self._places[key]) for key in copies], records)
            if all(record.probs is not None for record in records):
                batch["probs"] = torch.from_numpy(np.stack([record.probs for record in records]))
            yield batch

    def _evaluation(self) -> Iterator[dict[str, Any]]:
        """Yield all views and crops of the videos of this process's share."""
        data = self.dataset
        place = self._place_of(f"test {data.views} {data.sampling} {data.num_views}")
        batches = list(self.sampler)
        keys = [Key(key.index) for keys in batches for key in keys]
        clips = data.num_views * data.views.crops
        self.failed = self.cache.fill(data, {key: place(key) for key in keys}, self.loader.name, clips=clips)
        for batch in batches:
            rows = [key.index for key in batch]
            lost = [row for row in rows if not place(Key(row)).is_file()]
            there = [row for row in rows if row not in lost]
            records = [data.records[row] for row in lost]
            failed = [(row, one.name, self.failed.get(one.name, "gone")) for row, one in zip(lost, records)]
            values = [_load(place(Key(row))) for row in there]
            yield {**self._batch(values, [data.records[row] for row in there]), "failed": failed}

    def _batch(self, values: Sequence[np.ndarray], records: Sequence[Any]) -> dict[str, Any]:
        """Return a batch as `Collate` makes it, with stored values in the place of clips."""
        return {
            "clips": torch.from_numpy(np.concatenate(values)) if values else torch.empty(0),
            "labels": torch.tensor([record.label for record in records], dtype=torch.int64),
            "index": torch.tensor([record.row for record in records], dtype=torch.int64),
            "names": [record.name for record in records],
            "failed": [],
        }


def _load(path: Path) -> np.ndarray:
    """Return stored values.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}), delete it: it is computed again") from None


def stored_loader(cfg: CfgNode, network: torch.nn.Module, device: torch.device) -> Callable[..., Any]:
    """Return what makes stored batches of a loader where DATA.FEATURE_CACHE is set, and leaves it alone elsewhere."""
    if not cfg.DATA.FEATURE_CACHE:
        return lambda loader, views=(): loader
    return TrunkCache(cfg, network, device).wrap
