"""What a run needs is looked at before anything is written: lists, videos, starting weights."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.datasets.loader import build_loader, build_pool_loader
from slowfast.datasets.splits import PSEUDO_SPLIT, remarks
from slowfast.engine.adapt import ADAPTATIONS
from slowfast.engine.build import resolve_tests, start_path, validation_role
from slowfast.engine.provenance import check_table
from slowfast.lists.records import ClipRecord, VideoList
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

logger = logging.getLogger(__name__)

COMPILED_CHECKPOINTS = (2, 9)  # the oldest torch that was found to compile checkpointed blocks as they run uncompiled


def check_inputs(cfg: CfgNode, output: Path) -> None:
    """Read every list that the run will use and look for its videos and starting weights.

    Args:
        cfg: the run.
        output: its output folder; with checkpoints in it, starting weights are not needed any more.

    Raises:
        InputError: naming everything that is wrong together.
    """
    wrong: dict[str, None] = {}
    lists: dict[str, VideoList] = {}
    for split, role, train in dict.fromkeys(_needed_splits(cfg)):
        try:
            loader = build_loader(cfg, split, role, train=train, num_workers=0, world_size=distributed.world_size())
            if split == PSEUDO_SPLIT and train and cfg.MODEL.PSEUDO_LOSS_FUNC:
                _check_probabilities(cfg, loader.dataset.records)
            lists[role if role == "source" else split] = loader.dataset.records
        except InputError as error:
            wrong[str(error)] = None
    wrong |= dict.fromkeys(_wrong_adaptations(cfg) if cfg.TEST.ENABLE else ())
    if cfg.TRAIN.ENABLE and cfg.DATA.PSEUDO_CSV:
        try:
            check_table(repo_path(cfg.DATA.PATH_PREFIX) / cfg.DATA.PSEUDO_CSV)
        except InputError as error:
            wrong[str(error)] = None
    clips = cfg.TRAIN.BATCH_SIZE // distributed.world_size() * cfg.AUG.NUM_SAMPLE
    if cfg.TRAIN.ENABLE and cfg.MIXUP.ENABLE and clips < 2:
        few = f"MIXUP.ENABLE needs at least two clips in every process, TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE} gives"
        wrong[f"{few} {clips}: raise it, or set MIXUP.ENABLE False and MODEL.LOSS_FUNC cross_entropy"] = None
    if cfg.TRAIN.ENABLE and cfg.TRAIN.COMPILE and cfg.MODEL.USE_CHECKPOINT and torch.__version__ < COMPILED_CHECKPOINTS:
        newer = ".".join(map(str, COMPILED_CHECKPOINTS))
        both = "TRAIN.COMPILE and MODEL.USE_CHECKPOINT are both True, with which BatchNorm statistics come out wrong in"
        wrong[f"{both} torch {torch.__version__}: set one of them False, or install torch {newer} or newer"] = None
    resumes = cfg.TRAIN.AUTO_RESUME and any((output / "checkpoints").glob("checkpoint_*.pyth"))
    if cfg.TRAIN.ENABLE and not resumes:
        try:
            start_path(cfg)
        except InputError as error:
            wrong[str(error)] = None
    if wrong:
        raise InputError("; ".join(wrong))
    if "source" in lists:
        evaluated = {split: lists[split] for split, role, _ in _needed_splits(cfg) if role in ("val", "test")}
        for text in remarks(lists["source"], evaluated):
            logger.warning("%s", text)


def _wrong_adaptations(cfg: CfgNode) -> Iterator[str]:
    """Yield what is wrong with names and pools of the adaptations of tests."""
    for setting in resolve_tests(cfg):
        if setting.adapt and setting.adapt not in ADAPTATIONS:
            yield ADAPTATIONS.refusal(setting.adapt)
        elif setting.adapt and not ADAPTATIONS[setting.adapt].training_views:
            try:
                build_pool_loader(cfg, setting.adapt_split)
            except InputError as error:
                yield str(error)


def _check_probabilities(cfg: CfgNode, records: Sequence[ClipRecord]) -> None:
    """Refuse a table without the probabilities that the loss of the pseudo-labels is taken against."""
    rows = [record.row + 1 for record in records if record.probs is None]
    if rows:
        table = repo_path(cfg.DATA.PATH_PREFIX) / cfg.DATA.PSEUDO_CSV
        raise InputError(
            f"{table}: {len(rows)} rows (the first is row {rows[0]}) have no probabilities, which "
            f"MODEL.PSEUDO_LOSS_FUNC {cfg.MODEL.PSEUDO_LOSS_FUNC} needs; make the table with "
            "gen_pseudo_tools, or set MODEL.PSEUDO_LOSS_FUNC ''"
        )


def _needed_splits(cfg: CfgNode) -> Iterator[tuple[str, str, bool]]:
    """Yield (split, role, train) of all loaders of a run."""
    if cfg.TRAIN.ENABLE:
        yield "train_label", "source", True
        if cfg.DATA.PSEUDO_CSV:
            yield PSEUDO_SPLIT, "target", True
        if cfg.BN.USE_PRECISE_STATS:
            yield cfg.BN.ADAPT_SPLIT, "bn", True
        yield from ((split, validation_role(split), False) for split in cfg.TRAIN.EVAL_SPLITS)
    if cfg.TEST.ENABLE:
        for setting in resolve_tests(cfg):
            yield setting.split, "test", False
            if setting.adapt in ADAPTATIONS and ADAPTATIONS[setting.adapt].training_views:
                yield setting.adapt_split, "bn", True
