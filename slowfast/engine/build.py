"""From a configuration to the parts of a run; below here only explicit arguments are passed on."""

import dataclasses
import inspect
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import TestSetting, dump_config, flatten, named_weights, parse_also, several_labels
from slowfast.datasets.loader import build_loader
from slowfast.datasets.splits import kind_of_clips
from slowfast.engine.adapt.batchnorm import adapt_batchnorm
from slowfast.engine.checkpoint import Saves, unwrap
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.hooks.log_lines import LogLines
from slowfast.engine.hooks.metrics import MetricsLog
from slowfast.engine.hooks.tensorboard import Curves
from slowfast.engine.methods import Method, Reads, chosen_method
from slowfast.engine.methods.base import check_method, reads_of
from slowfast.engine.methods.trunk_cache import stored_loader, test_precision
from slowfast.engine.parents import Origin
from slowfast.engine.run import BEST, CURVES, METRICS, checkpoints_of
from slowfast.engine.trainer import Trainer
from slowfast.engine.update import Update
from slowfast.lists.records import ClipRecord
from slowfast.models import Network
from slowfast.models.compile import compiled
from slowfast.models.depth import layers_of
from slowfast.models.freeze import freeze, freeze_trunk
from slowfast.models.lora import adapter_targets, add_adapters
from slowfast.solver import LRSchedule, construct_optimizer, parameter_groups
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.utils.precision import Precision

logger = logging.getLogger(__name__)


def class_names(cfg: CfgNode) -> list[str]:
    """Return the K class names: DATA.CLASS_NAMES, else numbers."""
    return list(cfg.DATA.CLASS_NAMES) or [str(index) for index in range(cfg.MODEL.NUM_CLASSES)]


def autocast_dtype(cfg: CfgNode, device: torch.device) -> torch.dtype | None:
    """Return the type of mixed-precision training; `auto` is float16 on GPUs, as published, and off on the CPU.

    Raises:
        InputError: the card has no bfloat16.
    """
    choice = cfg.TRAIN.MIXED_PRECISION
    if choice == "auto":
        choice = "fp16" if device.type == "cuda" else "off"
    return Precision.choose(choice, device, key="TRAIN").dtype


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


def build_optimizer(cfg: CfgNode, *networks: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer over the parameter groups of the networks that are trained.

    Raises:
        InputError: SOLVER.LAYER_DECAY for a network whose names number no blocks; other modules have no layers.
    """
    groups = []
    for network in map(unwrap, networks):
        layers = {}
        if cfg.SOLVER.LAYER_DECAY != 1.0 and (isinstance(network, Network) or hasattr(network, "layer_of")):
            layer_of, num_layers = layers_of(network)
            layers = {"layer_of": layer_of, "num_layers": num_layers}
        groups += parameter_groups(
            network,
            weight_decay=cfg.SOLVER.WEIGHT_DECAY,
            bn_weight_decay=cfg.BN.WEIGHT_DECAY,
            zero_1d=cfg.SOLVER.ZERO_WD_1D_PARAM,
            layer_decay=cfg.SOLVER.LAYER_DECAY,
            **layers,
        )
    return construct_optimizer(groups, method=cfg.SOLVER.OPTIMIZING_METHOD, lr=cfg.SOLVER.BASE_LR, options=flatten(cfg))


def build_method(cfg: CfgNode, network: nn.Module, device: torch.device, *, wrapped: bool = True) -> Method:
    """Return the training method around a network with its starting weights.

    Args:
        cfg: the run.
        network: on the device.
        device: where it trains.
        wrapped: with the wrappers of the run (collective); without them it only shows what is wrong.

    Raises:
        InputError: something in it cannot work.
    """
    freeze(network, cfg.TRAIN.FREEZE)
    if cfg.TRAIN.PROBE:
        freeze_trunk(network)
    if cfg.LORA.RANK:
        add_lora(cfg, network, only_look=not wrapped)
    method = chosen_method(cfg)(cfg, network, device).to(device)
    check_method(method)
    if wrapped:
        for tensor in method.state_dict().values():
            distributed.share_(tensor)  # fresh weights differ from process to process
        for name, part in method.trained().items():
            setattr(method, name, _wrap(cfg, part, device))
    trained = list(method.trained().values())
    method.update = Update(
        networks=trained,
        optimizer=build_optimizer(cfg, *trained),
        device=device,
        clip_norm=cfg.SOLVER.CLIP_GRADIENT,
        autocast_dtype=autocast_dtype(cfg, device),
        on_nan=cfg.TRAIN.ON_NAN,
        accumulate=cfg.TRAIN.ACCUMULATE,
    )
    return method


def add_lora(cfg: CfgNode, network: nn.Module, *, only_look: bool = False) -> None:
    """Put the adapters of LORA into a network, in place; with `only_look` see whether that can be done."""
    keys, size = cfg.LORA, cfg.DATA.TRAIN_CROP_SIZE
    clip_1CTHW = torch.zeros(1, 3, cfg.DATA.NUM_FRAMES, size, size, device=next(network.parameters()).device)
    names = adapter_targets(network, keys.TARGETS, clip_1CTHW)
    if not only_look:
        add_adapters(network, names, rank=keys.RANK, alpha=keys.ALPHA, dropout=keys.DROPOUT)


def _wrap(cfg: CfgNode, network: nn.Module, device: torch.device) -> nn.Module:
    """Return a network with the wrappers of the run."""
    unused = getattr(network, "unused_parameters", False)
    network = compiled(network, cfg.TRAIN.COMPILE, training=True)
    if distributed.world_size() == 1:
        return network
    ids = [device.index] if device.type == "cuda" else None
    # Older torch (2.4) refuses a loss of two forward passes through BatchNorm when the second one shares the buffers
    # of the main process first; the trainer shares them after every step.
    known = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    still = {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}
    return nn.parallel.DistributedDataParallel(network, device_ids=ids, find_unused_parameters=unused, **still)


def build_trainer(cfg: CfgNode, network: nn.Module, output: Path, device: torch.device, origin: Origin) -> Trainer:
    """Return the loop with the method, the batches and the files of a run, which hold what they are made from."""
    method = build_method(cfg, network, device)
    reads = reads_of(cfg)
    stored = stored_loader(cfg, method.network_to_test(), device)
    loaders = {name: stored(build_train_loader(cfg, source), source.views) for name, source in reads.items()}
    kinds = {split: kind_of_clips(split, cfg.DATA.SPLITS) for split in cfg.TRAIN.EVAL_SPLITS}
    hooks: list[Any] = [
        MetricsLog(output / METRICS if distributed.is_main() else None),
        LogLines(cfg.MODEL.NUM_CLASSES, kinds),
    ]
    if cfg.TENSORBOARD.ENABLE and distributed.is_main():
        hooks.append(Curves(output / CURVES))
    evaluators = [(split, build_evaluator(cfg, split, "val", device)) for split in cfg.TRAIN.EVAL_SPLITS]
    for _, evaluator in evaluators:
        evaluator.loader = stored(evaluator.loader)
    return Trainer(
        method=method,
        loaders=loaders,
        views={name: source.views for name, source in reads.items()},
        schedule=build_schedule(cfg, cfg.TRAIN.STEPS_PER_EPOCH or len(next(iter(loaders.values())))),
        max_epoch=cfg.SOLVER.MAX_EPOCH,
        seed=cfg.RNG_SEED,
        saves=Saves(
            folder=checkpoints_of(cfg, output),
            best_path=output / BEST,
            extra={"cfg": dump_config(cfg), "made_of": origin.made_of.as_plain()},
            record=origin.record,
            every_epoch=cfg.TRAIN.SAVE_LATEST,
        ),
        adapt=_build_adaptation(cfg, device) if cfg.BN.USE_PRECISE_STATS else None,
        evaluators=evaluators,
        keep_last=cfg.TRAIN.CHOOSE_EPOCH == "last",
        hooks=hooks,
        eval_period=cfg.TRAIN.EVAL_PERIOD,
        save_period=1 if cfg.TRAIN.SAVE_LATEST else cfg.TRAIN.CHECKPOINT_PERIOD,
        log_period=cfg.LOG_PERIOD,
        steps_per_epoch=cfg.TRAIN.STEPS_PER_EPOCH,
        save_partial_every=60.0 * cfg.TRAIN.SAVE_EVERY_MINUTES,
    )


def _build_adaptation(cfg: CfgNode, device: torch.device) -> Callable[[nn.Module, int], Any]:
    """Return what takes the BatchNorm statistics of a network from BN.ADAPT_SPLIT, shuffled anew in every epoch."""
    loader = build_bn_loader(cfg, cfg.BN.ADAPT_SPLIT)

    def adapt(network: nn.Module, epoch: int) -> None:
        loader.set_epoch(epoch)
        adapt_batchnorm(
            network,
            loader,
            num_batches=cfg.BN.NUM_BATCHES_PRECISE,
            clips_of=lambda batch: batch["clips"].to(device, non_blocking=True),
        )

    return adapt


def build_train_loader(cfg: CfgNode, reads: Reads, **place: Any) -> Any:
    """Return the training batches that a method reads.

    Args:
        cfg: the run.
        reads: which ones.
        place: other arguments than those of this process.

    Raises:
        InputError: list, videos or batch size are wrong.
    """
    place = {**_place(), **place}
    paired = {"labelled": reads.labelled, "paired": reads.views}
    return build_loader(cfg, reads.split, reads.role, train=True, **paired, **place)


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
        several=several_labels(cfg),
        targets=targets_of(records, cfg.MODEL.NUM_CLASSES) if several_labels(cfg) else None,
    )


def build_head_evaluator(cfg: CfgNode, device: torch.device) -> Evaluator:
    """Return an evaluator of the labelled clips that a training reads, as they are: for TRAIN.FIT_HEAD."""
    reads = next(one for one in reads_of(cfg).values() if one.labelled)
    return build_evaluator(cfg, reads.split, reads.role, device)


def targets_of(records: Sequence[ClipRecord], num_classes: int) -> np.ndarray:
    """Return the labels of clips that may have several, float32 (N, K): 1 for each, 0 elsewhere, NaN where unknown."""
    unknown_K = np.full(num_classes, np.nan, np.float32)
    return np.stack([unknown_K if record.probs is None else record.probs for record in records])


def start_path(cfg: CfgNode, *, needed: bool = True) -> Path | None:
    """Return the starting weights, or None.

    They are the file TRAIN.CHECKPOINT_FILE_PATH, else a published file by name, else the folder that the network is.

    Raises:
        InputError: the file does not exist, and is needed.
    """
    named = named_weights(cfg)
    path = repo_path(named) if named else None
    if needed and path is not None and not path.exists():
        raise InputError(
            f"starting weights {path} do not exist: put the file there, or set TRAIN.CHECKPOINT_FILE_PATH; an empty "
            f"path and {cfg.MODEL.ARCH.upper()}.PRETRAIN_NAME '' train from random weights"
        )
    return path
