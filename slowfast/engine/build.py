"""From a configuration to the parts of a run; below here only explicit arguments are passed on."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import TestSetting, parse_also
from slowfast.datasets.loader import build_loader
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.steps import PseudoLabelStep, SourceStep, Supervised, Update
from slowfast.losses import KLLoss, soft_cross_entropy
from slowfast.models.videomae import layer_id
from slowfast.solver import LRSchedule, construct_optimizer, parameter_groups
from slowfast.transforms.mixup import Mixup
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.utils.precision import Precision

logger = logging.getLogger(__name__)

_DTYPES = {"off": None, "fp16": torch.float16, "bf16": torch.bfloat16}


def class_names(cfg: CfgNode) -> list[str]:
    """Return the K class names: DATA.CLASS_NAMES, else numbers."""
    return list(cfg.DATA.CLASS_NAMES) or [str(index) for index in range(cfg.MODEL.NUM_CLASSES)]


def autocast_dtype(cfg: CfgNode, device: torch.device) -> torch.dtype | None:
    """Return the type of mixed-precision training; `auto` is float16 on GPUs and off on the CPU."""
    choice = cfg.TRAIN.MIXED_PRECISION
    if choice == "auto":
        choice = "fp16" if device.type == "cuda" else "off"
    return _DTYPES[choice]


def test_precision(cfg: CfgNode, device: torch.device) -> Precision:
    """Return the arithmetic of everything but training: TEST.MIXED_PRECISION and TEST.TF32."""
    return Precision.choose(cfg.TEST.MIXED_PRECISION, device, tf32=cfg.TEST.TF32)


def resolve_tests(cfg: CfgNode) -> list[TestSetting]:
    """Return the tests of a configuration, that of TEST.DATA_SELECT first, each once and with its ADAPT_SPLIT."""
    first = TestSetting(
        cfg.TEST.DATA_SELECT, cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS, adapt=cfg.TEST.ADAPT
    )
    usual = cfg.TEST.ADAPT_SPLIT or cfg.BN.ADAPT_SPLIT
    wanted = [first, *map(parse_also, cfg.TEST.ALSO)]
    named = [dataclasses.replace(one, adapt_split=one.adapt_split or usual) if one.adapt else one for one in wanted]
    settings = list(dict.fromkeys(named))
    files = Counter((one.split, one.views, one.crops, one.suffix) for one in settings)
    if len(files) < len(settings):
        split, views, crops, suffix = files.most_common(1)[0][0]
        raise InputError(f"TEST.ALSO has two tests that write the file {split}...{views}x{crops}{suffix}.pkl: drop one")
    return settings


def build_schedule(cfg: CfgNode, steps_per_epoch: int = 0) -> LRSchedule:
    """Return the learning-rate schedule; the rates are multiplied by NUM_SHARDS when the config says so."""
    scale = cfg.NUM_SHARDS if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS else 1
    return LRSchedule(
        base_lr=cfg.SOLVER.BASE_LR * scale,
        end_lr=cfg.SOLVER.COSINE_END_LR * scale,
        warmup_start_lr=cfg.SOLVER.WARMUP_START_LR * scale,
        max_epoch=cfg.SOLVER.MAX_EPOCH,
        warmup_epochs=cfg.SOLVER.WARMUP_EPOCHS,
        warmup_steps=round(cfg.SOLVER.WARMUP_EPOCHS * steps_per_epoch) if cfg.SOLVER.WARMUP_REACHES_TOP else 0,
        cosine_after_warmup=cfg.SOLVER.COSINE_AFTER_WARMUP,
        policy=cfg.SOLVER.LR_POLICY,
        steps=tuple(cfg.SOLVER.STEPS),
        relative_lrs=tuple(cfg.SOLVER.LRS),
        cycles=cfg.SOLVER.CYCLES,
    )


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer over the parameter groups of a network."""
    layers = {}
    if cfg.SOLVER.LAYER_DECAY != 1.0:
        depth = cfg.VIDEOMAE.DEPTH
        layers = {"layer_of": lambda name: layer_id(name, depth), "num_layers": depth + 1}
    groups = parameter_groups(
        model,
        weight_decay=cfg.SOLVER.WEIGHT_DECAY,
        bn_weight_decay=cfg.BN.WEIGHT_DECAY,
        zero_1d=cfg.SOLVER.ZERO_WD_1D_PARAM,
        layer_decay=cfg.SOLVER.LAYER_DECAY,
        **layers,
    )
    return construct_optimizer(
        groups,
        method=cfg.SOLVER.OPTIMIZING_METHOD,
        lr=cfg.SOLVER.BASE_LR,
        momentum=cfg.SOLVER.MOMENTUM,
        dampening=cfg.SOLVER.DAMPENING,
        nesterov=cfg.SOLVER.NESTEROV,
    )


def build_step(cfg: CfgNode, model: nn.Module, device: torch.device) -> SourceStep | PseudoLabelStep:
    """Return the training step: with pseudo-labels when DATA.PSEUDO_CSV is set."""
    update = Update(
        model=model,
        optimizer=build_optimizer(cfg, model),
        device=device,
        clip_norm=cfg.SOLVER.CLIP_GRADIENT,
        autocast_dtype=autocast_dtype(cfg, device),
        on_nan=cfg.TRAIN.ON_NAN,
    )
    mixup = None
    if cfg.MIXUP.ENABLE:
        mixup = Mixup(
            num_classes=cfg.MODEL.NUM_CLASSES,
            alpha=cfg.MIXUP.ALPHA,
            cutmix_alpha=cfg.MIXUP.CUTMIX_ALPHA,
            prob=cfg.MIXUP.PROB,
            switch_prob=cfg.MIXUP.SWITCH_PROB,
            label_smoothing=cfg.MIXUP.LABEL_SMOOTH_VALUE,
        )
    loss = _hard_loss(cfg)
    source = Supervised(update=update, loss=loss, mixup=mixup)
    if not cfg.DATA.PSEUDO_CSV:
        return SourceStep(source=source)
    soft = KLLoss(temperature=cfg.MODEL.SOFT_T) if cfg.MODEL.PSEUDO_LOSS_FUNC == "kl" else None
    target = Supervised(update=update, loss=loss, mixup=None if soft else mixup, soft_loss=soft)
    return PseudoLabelStep(source=source, target=target)


def _hard_loss(cfg: CfgNode) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return the loss against labels (B,) or mixed targets (B, K)."""
    if cfg.MODEL.LOSS_FUNC == "cross_entropy" or not cfg.MIXUP.ENABLE:
        return nn.CrossEntropyLoss()
    return soft_cross_entropy


def build_train_loaders(cfg: CfgNode) -> list[Any]:
    """Return the loader of labelled clips and, with pseudo-labels, that of the target clips."""
    loaders = [build_loader(cfg, "train_label", "source", train=True, **_place())]
    if cfg.DATA.PSEUDO_CSV:
        loaders.append(build_loader(cfg, "train_pseudo_label", "target", train=True, **_place()))
    return loaders


def build_bn_loader(cfg: CfgNode, split: str, *, gamma: float | None = None) -> Any:
    """Return training batches of the split that the BatchNorm statistics adapt to (gamma: `gamma_of` the role bn)."""
    return build_loader(cfg, split, "bn", train=True, gamma=gamma, **_place())


def _place() -> dict[str, int]:
    """Return which share of a split this process reads."""
    return {"rank": distributed.rank(), "world_size": distributed.world_size()}


def build_evaluator(
    cfg: CfgNode,
    split: str,
    role: str,
    device: torch.device,
    *,
    views: int = 1,
    crops: int = 1,
    gamma: float | None = None,
    score: str = "logits",
) -> Evaluator:
    """Return an evaluator of a split; without `gamma` role and light of the split decide."""
    loader = build_loader(cfg, split, role, train=False, views=views, crops=crops, gamma=gamma, **_place())
    records = loader.dataset.records
    return Evaluator(
        loader=loader,
        names=[record.name for record in records],
        labels=np.array([record.label for record in records], np.int64),
        num_classes=cfg.MODEL.NUM_CLASSES,
        num_views=views * crops,
        device=device,
        split=split,
        clip_batch=max(1, cfg.TEST.BATCH_SIZE // distributed.world_size()),
        score=score,
        method=cfg.DATA.ENSEMBLE_METHOD,
        max_failed=cfg.DATA.MAX_FAILED,
        class_names=class_names(cfg),
        precision=test_precision(cfg, device),
    )


def validation_role(split: str) -> str:
    """Return the role of a split in validation; whether it is light or dark stands in DATA.SPLITS."""
    return "val"


def start_path(cfg: CfgNode) -> Path | None:
    """Return the file of starting weights (TRAIN.CHECKPOINT_FILE_PATH, else a published file by name), or None.

    Raises:
        InputError: the file does not exist.
    """
    named = cfg.TRAIN.CHECKPOINT_FILE_PATH
    path = repo_path(named) if named else _pretrained_path(cfg)
    if path is not None and not path.exists():
        raise InputError(
            f"starting weights {path} do not exist: put the file there, or set TRAIN.CHECKPOINT_FILE_PATH; an empty "
            f"path and {cfg.MODEL.ARCH.upper()}.PRETRAIN_NAME '' train from random weights"
        )
    return path


def _pretrained_path(cfg: CfgNode) -> Path | None:
    """Return the starting weights that UNIFORMER / SF .PRETRAIN_NAME stands for, or None."""
    section = {"uniformer": cfg.UNIFORMER, "sf": cfg.SF}.get(cfg.MODEL.ARCH)
    name = section.PRETRAIN_NAME if section is not None else None
    if not name:
        return None
    folder = repo_path(cfg.MODEL.PRETRAIN_DIR)
    found = [folder / f"{name}{ending}" for ending in (".pth", ".pyth", ".pt", ".safetensors")]
    return next((path for path in found if path.is_file()), found[0])
