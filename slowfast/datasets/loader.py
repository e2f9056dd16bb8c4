"""Loaders of batches, and the only place of this room that reads a config."""

import zlib

import torch
from fvcore.common.config import CfgNode

from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.records import read_list
from slowfast.datasets.sampler import EpochSampler, EvalSampler
from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.splits import LABELLED_ROLES, check_role, resolve_split
from slowfast.datasets.video_dataset import EvalDataset, TrainDataset, collate_eval, collate_train
from slowfast.datasets.video_loader import VideoLoader
from slowfast.datasets.views import EvalViews, Normalisation, TrainViews
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
) -> TrainDataset | EvalDataset:
    """Build the items of a split.

    Args:
        cfg: DATA, AUG, TRAIN, TEST and MODEL.NUM_CLASSES are read.
        split: a name of DATA.SPLITS.
        role: source, target, bn, val_bright, val_dark or test; chooses the gamma and whether labels are needed.
        train: augmented clips, or test views.
        num_samples: augmented copies; default AUG.NUM_SAMPLE.
        views: temporal views; default TEST.NUM_ENSEMBLE_VIEWS for the role test, else 1.
        crops: 1 or 3; default TEST.NUM_SPATIAL_CROPS for the role test, else 1.
        gamma: default DATA.GAMMA of the role.
        seed: default RNG_SEED.

    Raises:
        InputError: when list or videos are wrong.
    """
    role = check_role(role)
    where = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX), cfg.DATA.PSEUDO_CSV)
    records = read_list(
        where.list_path,
        where.folder,
        separator=cfg.DATA.PATH_LABEL_SEPARATOR,
        num_classes=cfg.MODEL.NUM_CLASSES,
        labelled=role in LABELLED_ROLES,
        allow_outside=cfg.DATA.ALLOW_OUTSIDE,
    )
    gamma = cfg.DATA.GAMMA[role.upper()] if gamma is None else gamma
    source = FrameSource(cfg.DATA.DECODING_BACKEND, repo_path(cfg.DATA.CACHE_DIR) if cfg.DATA.CACHE_DIR else None)
    kind = _SAMPLINGS.get(cfg.TRAIN.DATASET if train else cfg.TEST.DATASET, "uniform")
    sampling = FrameSampling(kind, cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.USE_OFFSET_SAMPLING)
    if train:
        seed = cfg.RNG_SEED if seed is None else seed
        return TrainDataset(
            records=records,
            source=source,
            sampling=sampling,
            views=_train_views(cfg, gamma, darken=cfg.AUG.DARKEN and role == "source"),
            num_samples=cfg.AUG.NUM_SAMPLE if num_samples is None else num_samples,
            seed=split_seed(seed, split),
            deferred=cfg.DATA.DEVICE_TRANSFORM,
        )
    testing = role == "test"
    crops = crops or (cfg.TEST.NUM_SPATIAL_CROPS if testing else 1)
    return EvalDataset(
        records=records,
        source=source,
        sampling=sampling,
        views=EvalViews(cfg.DATA.TEST_CROP_SIZE, crops, gamma, _normalisation(cfg)),
        num_views=views or (cfg.TEST.NUM_ENSEMBLE_VIEWS if testing else 1),
        deferred=cfg.DATA.DEVICE_TRANSFORM,
    )


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
    )
    if train:
        sampler = _train_sampler(cfg, dataset, role, batch_size or cfg.TRAIN.BATCH_SIZE, rank, world_size)
    else:
        clips = dataset.num_views * dataset.views.crops * world_size
        sampler = EvalSampler(
            num_rows=len(dataset),
            batch_size=max(1, (batch_size or cfg.TEST.BATCH_SIZE) // clips),
            rank=rank,
            world_size=world_size,
        )
    return VideoLoader(
        dataset=dataset,
        sampler=sampler,
        collate=collate_train if train else collate_eval,
        name=split,
        num_workers=cfg.DATA_LOADER.NUM_WORKERS if num_workers is None else num_workers,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY,
        timeout=cfg.DATA_LOADER.TIMEOUT,
        max_failed=cfg.DATA.MAX_FAILED,
        persistent=train,
        device="cuda" if cfg.NUM_GPUS and torch.cuda.is_available() else "cpu",
    )


def split_seed(seed: int, split: str) -> int:
    """Return a seed of the split's own, so that row i of two lists is not augmented alike."""
    return seed * 2**32 + zlib.crc32(split.encode())


def _train_sampler(
    cfg: CfgNode, dataset: TrainDataset, role: str, batch_size: int, rank: int, world_size: int
) -> EpochSampler:
    """Return the training order of one process."""
    if batch_size % world_size:
        raise InputError(f"TRAIN.BATCH_SIZE {batch_size} does not divide by the {world_size} processes")
    balanced = cfg.TRAIN.CLASS_BALANCED and check_role(role) == "target"
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


def _train_views(cfg: CfgNode, gamma: float, *, darken: bool) -> TrainViews:
    """Return the augmentation of training clips."""
    augment = cfg.AUG.ENABLE
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
        rand_augment=policy,
        erase_prob=cfg.AUG.RE_PROB if augment else 0.0,
        erase_mode=cfg.AUG.RE_MODE,
        erase_count=cfg.AUG.RE_COUNT,
    )
