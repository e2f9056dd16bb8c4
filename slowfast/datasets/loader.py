"""Loaders of batches, and the only place of this room that reads a config."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.config import several_labels
from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.paired import PairedViews
from slowfast.datasets.sampler import EpochSampler, EvalSampler, GivenKeys, Key, PoolSampler
from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.splits import LABELLED_ROLES, PSEUDO_SPLIT, check_role, gamma_role, is_light, resolve_split
from slowfast.datasets.video_dataset import Collate, EvalDataset, TrainDataset
from slowfast.datasets.video_loader import VideoLoader
from slowfast.datasets.views import EvalViews, Normalisation, TrainViews
from slowfast.lists.records import ClipRecord, read_list
from slowfast.transforms.rand_augment import parse_policy
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

_SAMPLINGS = {"ug2_sparse": "uniform", "ug2": "dense", "track3": "segment"}


def build_dataset(
    cfg: CfgNode,
    split: str,
    role: str,
    *,
    train: bool,
    num_samples: int | None = None,
    views: int | None = None,
    crops: int | None = None,
    gamma: float | None = None,
    seed: int | None = None,
    labelled: bool | None = None,
    paired: Sequence[str] = (),
) -> TrainDataset | EvalDataset:
    """Build the items of a split.

    Args:
        cfg: DATA, AUG, TRAIN, TEST and MODEL.NUM_CLASSES are read.
        split: a name of DATA.SPLITS.
        role: source, target, bn, val, val_bright, val_dark or test; with the split's light it chooses gamma and labels.
        train: augmented clips, or test views.
        num_samples: augmented copies; default AUG.NUM_SAMPLE.
        views: temporal views; default TEST.NUM_ENSEMBLE_VIEWS for the role test, else 1.
        crops: 1 or 3; default TEST.NUM_SPATIAL_CROPS for the role test, else 1.
        gamma: default `gamma_of`.
        seed: default RNG_SEED.
        labelled: whether labels are needed; default: as the role says.
        paired: views of every training clip, names that begin with `weak` or `strong`; empty: one, as AUG says.

    Raises:
        InputError: when list or videos are wrong.
    """
    role = check_role(role)
    where = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX), cfg.DATA.PSEUDO_CSV)
    records = read_list(
        where.list_path,
        where.folder,
        separator=list_separators(cfg, split),
        num_classes=cfg.MODEL.NUM_CLASSES,
        labelled=role in LABELLED_ROLES if labelled is None else labelled,
        allow_outside=cfg.DATA.ALLOW_OUTSIDE,
        several=several_labels(cfg),
    )
    gamma = gamma_of(cfg, split, role) if gamma is None else gamma
    if not train:
        return _eval_dataset(
            cfg,
            records,
            gamma=gamma,
            views=views or (cfg.TEST.NUM_ENSEMBLE_VIEWS if role == "test" else 1),
            crops=crops or (cfg.TEST.NUM_SPATIAL_CROPS if role == "test" else 1),
        )
    return TrainDataset(
        records=records,
        source=_source(cfg),
        sampling=_sampling(cfg, cfg.TRAIN.DATASET),
        views=_paired_views(cfg, gamma, paired, darken=cfg.AUG.DARKEN and role == "source"),
        num_samples=cfg.AUG.NUM_SAMPLE if num_samples is None else num_samples,
        seed=split_seed(cfg.RNG_SEED if seed is None else seed, split),
    )


def gamma_of(cfg: CfgNode, split: str, role: str) -> float:
    """Return the gamma of the clips of a split in a role: DATA.GAMMA, by the light of the split."""
    return cfg.DATA.GAMMA[gamma_role(check_role(role), is_light(split, cfg.DATA.SPLITS)).upper()]


def list_separators(cfg: CfgNode, split: str) -> tuple[str, ...]:
    """Return the separators that a list may have; tables of pseudo-labels are always written with commas."""
    own = cfg.DATA.PATH_LABEL_SEPARATOR
    return (own, ",") if split == PSEUDO_SPLIT and own != "," else (own,)


def build_loader(
    cfg: CfgNode,
    split: str,
    role: str,
    *,
    train: bool,
    num_samples: int | None = None,
    views: int | None = None,
    crops: int | None = None,
    gamma: float | None = None,
    rank: int = 0,
    world_size: int = 1,
    seed: int | None = None,
    batch_size: int | None = None,
    num_workers: int | None = None,
    labelled: bool | None = None,
    paired: Sequence[str] = (),
) -> VideoLoader:
    """Build the batches of a split for one process; see `build_dataset` for the arguments not named here.

    Args:
        cfg: besides that, DATA_LOADER, TRAIN.BATCH_SIZE and TEST.BATCH_SIZE are read.
        split: a name of DATA.SPLITS.
        role: see `build_dataset`.
        train: shuffled and augmented, or in list order; rank r evaluates rows r, r + world_size, ...
        num_samples: augmented copies.
        views: temporal views.
        crops: 1 or 3.
        gamma: exponent.
        rank: this process.
        world_size: number of processes.
        seed: of order and augmentation.
        batch_size: over all processes; default TRAIN.BATCH_SIZE (videos) or TEST.BATCH_SIZE (clips).
        num_workers: default DATA_LOADER.NUM_WORKERS.
        labelled: whether labels are needed.
        paired: views of every training clip, side by side in `clips`.

    Raises:
        InputError: when list, videos or batch size are wrong.
    """
    dataset = build_dataset(
        cfg,
        split,
        role,
        train=train,
        num_samples=num_samples,
        views=views,
        crops=crops,
        gamma=gamma,
        seed=seed,
        labelled=labelled,
        paired=paired,
    )
    if not train:
        return _eval_loader(cfg, dataset, split, batch_size, rank, world_size, num_workers)
    role = "unlabelled" if labelled is False else check_role(role)
    sampler = _train_sampler(cfg, dataset, split, role, batch_size or cfg.TRAIN.BATCH_SIZE, rank, world_size)
    return _loader(cfg, dataset, sampler, split, num_workers, persistent=True)


def build_file_loader(
    cfg: CfgNode, paths: Sequence[Path], names: Sequence[str], gammas: Sequence[float] | None = None
) -> VideoLoader:
    """Build the test batches of video files that stand in no list: TEST's views and crops.

    Args:
        cfg: see `build_loader`.
        paths: files, existing or not.
        names: what the batches call them.
        gammas: exponent of every file; default DATA.GAMMA.TEST.
    """
    gammas = [cfg.DATA.GAMMA.TEST] * len(paths) if gammas is None else gammas
    files = zip(names, paths, gammas, strict=True)
    records = [ClipRecord(name, str(path), -1, None, row, gamma) for row, (name, path, gamma) in enumerate(files)]
    dataset = _eval_dataset(
        cfg,
        records,
        gamma=1.0,
        views=cfg.TEST.NUM_ENSEMBLE_VIEWS,
        crops=cfg.TEST.NUM_SPATIAL_CROPS,
    )
    workers = min(cfg.DATA_LOADER.NUM_WORKERS, len(paths))
    return _eval_loader(cfg, dataset, "files", None, 0, 1, workers)


def build_pool_loader(
    cfg: CfgNode,
    split: str,
    *,
    paths: Sequence[Path] = (),
    gammas: Sequence[float] | None = None,
    gamma: float | None = None,
) -> VideoLoader:
    """Build shuffled batches of one centre view a video, without labels, that are the same in every process.

    Args:
        cfg: besides what `build_dataset` reads, ADAPT.BATCH_SIZE and DATA_LOADER.
        split: a name of DATA.SPLITS; with `paths` only what messages call them.
        paths: video files that stand in no list.
        gammas: exponent of each of them; default DATA.GAMMA.TEST.
        gamma: exponent of a split; default `gamma_of` the role test.

    Raises:
        InputError: list or videos are wrong, or there are fewer than two.
    """
    if paths:
        gammas = [cfg.DATA.GAMMA.TEST] * len(paths) if gammas is None else gammas
        files = enumerate(zip(paths, gammas, strict=True))
        records = [ClipRecord(str(path), str(path), -1, None, row, own) for row, (path, own) in files]
        dataset = _eval_dataset(cfg, records, gamma=1.0, views=1, crops=1)
    else:
        gamma = gamma_of(cfg, split, "test") if gamma is None else gamma
        dataset = build_dataset(cfg, split, "bn", train=False, views=1, crops=1, gamma=gamma)
    if len(dataset) < 2:
        raise InputError(f"{split}: {len(dataset)} video is no pool to adapt to, at least 2 are needed")
    sampler = PoolSampler(num_rows=len(dataset), batch_size=cfg.ADAPT.BATCH_SIZE, seed=split_seed(cfg.RNG_SEED, split))
    return _loader(cfg, dataset, sampler, split, None, persistent=False)


def build_key_loader(
    cfg: CfgNode, dataset: TrainDataset | EvalDataset, keys: Sequence[Key], name: str, *, batch_size: int
) -> VideoLoader:
    """Build batches of given items of a data set, such as those that no store holds yet."""
    return _loader(cfg, dataset, GivenKeys(keys, batch_size), name, None, persistent=False)


def _source(cfg: CfgNode) -> FrameSource:
    """Return where frames come from."""
    return FrameSource(cfg.DATA.DECODING_BACKEND, repo_path(cfg.DATA.CACHE_DIR) if cfg.DATA.CACHE_DIR else None)


def _sampling(cfg: CfgNode, kind: str) -> FrameSampling:
    """Return how frames are chosen by a kind of data set (TRAIN.DATASET, TEST.DATASET)."""
    return FrameSampling(
        _SAMPLINGS.get(kind, "uniform"), cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.USE_OFFSET_SAMPLING
    )


def _eval_dataset(cfg: CfgNode, records: Sequence[ClipRecord], *, gamma: float, views: int, crops: int) -> EvalDataset:
    """Return the evaluation items of some records."""
    return EvalDataset(
        records=records,
        source=_source(cfg),
        sampling=_sampling(cfg, cfg.TEST.DATASET),
        views=EvalViews(cfg.DATA.TEST_CROP_SIZE, crops, gamma, _normalisation(cfg)),
        num_views=views,
    )


def _eval_loader(
    cfg: CfgNode,
    dataset: EvalDataset,
    name: str,
    batch_size: int | None,
    rank: int,
    world_size: int,
    num_workers: int | None,
) -> VideoLoader:
    """Return the batches of evaluation items for one process."""
    clips = dataset.num_views * dataset.views.crops * world_size
    videos = max(1, (batch_size or cfg.TEST.BATCH_SIZE) // clips)
    sampler = EvalSampler(num_rows=len(dataset), batch_size=videos, rank=rank, world_size=world_size)
    return _loader(cfg, dataset, sampler, name, num_workers, persistent=False)


def _loader(
    cfg: CfgNode,
    dataset: TrainDataset | EvalDataset,
    sampler: EpochSampler | EvalSampler | PoolSampler | GivenKeys,
    name: str,
    num_workers: int | None,
    *,
    persistent: bool,
) -> VideoLoader:
    """Return batches with the settings of DATA_LOADER."""
    return VideoLoader(
        dataset=dataset,
        sampler=sampler,
        collate=Collate(dataset.views, repeat=isinstance(dataset, TrainDataset), deferred=cfg.DATA.DEVICE_TRANSFORM),
        name=name,
        num_workers=cfg.DATA_LOADER.NUM_WORKERS if num_workers is None else num_workers,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY,
        timeout=cfg.DATA_LOADER.TIMEOUT,
        max_failed=cfg.DATA.MAX_FAILED,
        persistent=persistent,
        device="cuda" if cfg.NUM_GPUS and torch.cuda.is_available() else "cpu",
    )


def split_seed(seed: int, split: str) -> int:
    """Return a seed of the split's own, so that row i of two lists is not augmented alike."""
    return seed * 2**32 + zlib.crc32(split.encode())


def _train_sampler(
    cfg: CfgNode, dataset: TrainDataset, split: str, role: str, batch_size: int, rank: int, world_size: int
) -> EpochSampler:
    """Return the training order of one process."""
    if batch_size % world_size:
        raise InputError(f"TRAIN.BATCH_SIZE {batch_size} does not divide by the {world_size} processes")
    if len(dataset) < batch_size:
        where = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX), cfg.DATA.PSEUDO_CSV)
        raise InputError(
            f"{where.list_path}: the list has {len(dataset)} rows, fewer than one batch of {batch_size}: lower"
            " TRAIN.BATCH_SIZE or add rows"
        )
    balanced = {"target": cfg.TRAIN.CLASS_BALANCED, "source": cfg.TRAIN.LABELLED_BALANCED}.get(role, False)
    return EpochSampler(
        num_rows=len(dataset),
        batch_size=batch_size // world_size,
        seed=dataset.seed,
        rank=rank,
        world_size=world_size,
        labels=[record.label for record in dataset.records] if balanced else None,
    )


def _normalisation(cfg: CfgNode) -> Normalisation:
    """Return how levels become network input."""
    return Normalisation(tuple(cfg.DATA.MEAN), tuple(cfg.DATA.STD), cfg.DATA.SUBTRACT_TEMPORAL_MEAN)


def _paired_views(cfg: CfgNode, gamma: float, paired: Sequence[str], *, darken: bool) -> TrainViews | PairedViews:
    """Return the augmentation of training clips, or one for each of several views."""
    wrong = [name for name in paired if not name.startswith(("weak", "strong"))]
    if wrong or len(set(paired)) < len(paired):
        raise InputError(
            f"the views {', '.join(paired)} are asked for: different names 'weak...', 'strong...' are needed"
        )
    if not paired:
        return _train_views(cfg, gamma, augment=cfg.AUG.ENABLE, darken=darken)
    strong = [name.startswith("strong") for name in paired]
    return PairedViews(
        [_train_views(cfg, gamma, augment=is_strong, darken=darken and is_strong) for is_strong in strong]
    )


def _train_views(cfg: CfgNode, gamma: float, *, augment: bool, darken: bool) -> TrainViews:
    """Return the augmentation of training clips."""
    try:
        policy = parse_policy(cfg.AUG.AA_TYPE, cfg.AUG.INTERPOLATION) if augment else None
    except ValueError as error:
        raise InputError(f"AUG.AA_TYPE, AUG.INTERPOLATION: {error}") from None
    return TrainViews(
        size=cfg.DATA.TRAIN_CROP_SIZE,
        jitter=tuple(cfg.DATA.TRAIN_JITTER_SCALES),
        area=tuple(cfg.DATA.TRAIN_JITTER_SCALES_RELATIVE),
        aspect=tuple(cfg.DATA.TRAIN_JITTER_ASPECT_RELATIVE) or (3 / 4, 4 / 3),
        flip=cfg.DATA.RANDOM_FLIP,
        gamma=gamma,
        norm=_normalisation(cfg),
        darken_prob=cfg.AUG.DARKEN_PROB if darken else 0.0,
        dark_gamma=cfg.DATA.GAMMA.TARGET,
        rand_augment=policy,
        erase_prob=cfg.AUG.RE_PROB if augment else 0.0,
        erase_mode=cfg.AUG.RE_MODE,
        erase_count=cfg.AUG.RE_COUNT,
    )
