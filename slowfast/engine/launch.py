"""One experiment from its configuration: train, then test; every file lands in OUTPUT_DIR."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import dump_config
from slowfast.engine.adapt.batchnorm import PreciseBNHook
from slowfast.engine.build import (
    build_bn_loader,
    build_evaluator,
    build_schedule,
    build_step,
    build_train_loaders,
    start_path,
    validation_role,
)
from slowfast.engine.checkpoint import stored_training
from slowfast.engine.hooks import CheckpointHook, EvaluationHook, LogHook
from slowfast.engine.memory import explain_memory, explain_sizes
from slowfast.engine.metrics import MetricsLog
from slowfast.engine.predictor import check_adaptations, test
from slowfast.engine.preflight import check_inputs
from slowfast.engine.run_folder import BEST, METRICS, checkpoints_of, prepare_folder, start_over
from slowfast.engine.tensorboard import ScalarWriter
from slowfast.engine.trainer import Trainer
from slowfast.models import build_model, load_starting_weights
from slowfast.models.accelerate import accelerate
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.lock import folder_lock
from slowfast.utils.logging import setup_logging
from slowfast.utils.paths import repo_path
from slowfast.utils.stop import stop_signals

logger = logging.getLogger(__name__)

# What a training takes from a training state of another folder; the rest belongs to that run.
_CARRIED = ("model_state", "optimizer_state", "scaler_state", "scaler", "epoch")


def run_experiment(cfg: CfgNode) -> None:
    """Train when TRAIN.ENABLE, then test when TEST.ENABLE, as one process of a job.

    Raises:
        InputError: wrong lists, videos, checkpoints, or an output folder of another configuration.
        Preempted: asked to stop; everything an exact resume needs is saved.
    """
    output = repo_path(cfg.OUTPUT_DIR)
    with process_setup(cfg) as device, contextlib.ExitStack() as stack:
        distributed.from_main(lambda: check_inputs(cfg, output))
        model = accelerate(build_model(cfg).to(device), device=device, training=cfg.TRAIN.ENABLE)
        if cfg.TEST.ENABLE:
            check_adaptations(cfg, model)
        distributed.from_main(lambda: stack.enter_context(folder_lock(output)))
        setup_logging(output, main_process=distributed.is_main())
        state = prepare_folder(cfg, output)
        if cfg.LOG_MODEL_INFO:
            count = sum(parameter.numel() for parameter in model.parameters())
            logger.info("%s with %s parameters on %s", cfg.MODEL.ARCH, f"{count:,}", device)
        if cfg.TRAIN.ENABLE:
            with explain_memory(cfg, "training"), explain_sizes(cfg):
                train(cfg, model, output, device, state)
        if cfg.TEST.ENABLE:
            with explain_memory(cfg, "testing"), explain_sizes(cfg):
                test(cfg, model, output, device)


@contextlib.contextmanager
def process_setup(cfg: CfgNode):
    """Join the job, set threads, seeds and what SIGTERM does; yield the device."""
    with stop_signals(), distributed.process_group(cfg.NUM_GPUS, cfg.DIST_BACKEND) as device:
        if cfg.NUM_THREADS:
            torch.set_num_threads(cfg.NUM_THREADS)
        distributed.seed_generators(cfg.RNG_SEED)
        yield device


def train(
    cfg: CfgNode, model: nn.Module, output: Path, device: torch.device, state: dict[str, Any] | None = None
) -> None:
    """Train, going on from `state` when there is one (of this folder's checkpoints)."""
    if state is not None and _is_finished(state, cfg):
        logger.info("training of %d epochs is already finished", cfg.SOLVER.MAX_EPOCH)
        return
    fresh = state is None
    if fresh:
        state = load_start(cfg, model)
    trainer = build_trainer(cfg, model, output, device)
    if fresh:
        distributed.from_main(lambda: start_over(cfg, output))
    if state is not None:
        trainer.load_state_dict(state)
    trainer.train()


def build_trainer(cfg: CfgNode, model: nn.Module, output: Path, device: torch.device) -> Trainer:
    """Return the loop with its step, loaders and hooks."""
    writer = ScalarWriter(output / "tensorboard" if cfg.TENSORBOARD.ENABLE and distributed.is_main() else None)
    loaders = build_train_loaders(cfg)
    hooks: list[Any] = [LogHook(period=cfg.LOG_PERIOD, writer=writer)]
    if cfg.BN.USE_PRECISE_STATS:
        loader = build_bn_loader(cfg, cfg.BN.ADAPT_SPLIT)
        hooks.append(PreciseBNHook(loader=loader, num_batches=cfg.BN.NUM_BATCHES_PRECISE, period=cfg.TRAIN.EVAL_PERIOD))
    extra = {"cfg": dump_config(cfg)}
    built = {split: build_evaluator(cfg, split, validation_role(split), device) for split in cfg.TRAIN.EVAL_SPLITS}
    evaluation = EvaluationHook(
        evaluators=list(built.items()),
        period=cfg.TRAIN.EVAL_PERIOD,
        best_path=output / BEST,
        extra=extra,
        writer=writer,
    )
    checkpoints = CheckpointHook(
        folder=checkpoints_of(cfg, output),
        period=cfg.TRAIN.CHECKPOINT_PERIOD,
        every_epoch=cfg.TRAIN.SAVE_LATEST,
        evaluation=evaluation,
        extra=extra,
    )
    return Trainer(
        step=build_step(cfg, _wrap(cfg, model, device), device),
        loaders=loaders,
        schedule=build_schedule(cfg, cfg.TRAIN.STEPS_PER_EPOCH or len(loaders[0])),
        max_epoch=cfg.SOLVER.MAX_EPOCH,
        seed=cfg.RNG_SEED,
        hooks=[*hooks, checkpoints, evaluation],
        metrics=MetricsLog(output / METRICS if distributed.is_main() else None),
        steps_per_epoch=cfg.TRAIN.STEPS_PER_EPOCH,
        save_partial_every=60.0 * cfg.TRAIN.SAVE_EVERY_MINUTES,
    )


def load_start(cfg: CfgNode, model: nn.Module) -> dict[str, Any] | None:
    """Load starting weights; with TRAIN.CHECKPOINT_KEEP_EPOCH return the training state that goes on instead.

    Raises:
        InputError: the weights do not fit, or a training cannot go on from them.
    """
    path, keep = start_path(cfg), cfg.TRAIN.CHECKPOINT_KEEP_EPOCH
    if keep and cfg.TRAIN.CHECKPOINT_EPOCH_RESET:
        raise InputError("TRAIN.CHECKPOINT_KEEP_EPOCH and TRAIN.CHECKPOINT_EPOCH_RESET are both True: set one False")
    if path is None:
        logger.warning("no starting weights are given: training from random weights")
        return None
    state = stored_training(path) if keep or path.suffix == ".pyth" else None
    done = state["epoch"] + 1 if state is not None else 0
    if not keep:
        logger.info("%s", load_starting_weights(cfg, model, path).summary())
        rest = f"; the {done} epochs of the file do not count" if done else ""
        logger.info("starting at epoch 1 with a fresh optimizer%s (TRAIN.CHECKPOINT_KEEP_EPOCH False)", rest)
        return None
    if not 0 < done < cfg.SOLVER.MAX_EPOCH:
        why = (
            f"its {done} epochs reach SOLVER.MAX_EPOCH {cfg.SOLVER.MAX_EPOCH}" if done else "it has no optimizer state"
        )
        raise InputError(f"{path}: nothing to go on with, {why}: TRAIN.CHECKPOINT_KEEP_EPOCH False takes its weights")
    logger.info("going on after epoch %d of %s with its optimizer (TRAIN.CHECKPOINT_KEEP_EPOCH True)", done, path)
    return {key: state[key] for key in _CARRIED if key in state}


def _is_finished(state: dict[str, Any], cfg: CfgNode) -> bool:
    """Return whether a state is that of a finished training."""
    return state["epoch"] + 1 >= cfg.SOLVER.MAX_EPOCH and not state["iteration"] and not state["pending_evaluation"]


def _wrap(cfg: CfgNode, model: nn.Module, device: torch.device) -> nn.Module:
    """Return the network with the wrappers of the run."""
    if cfg.TRAIN.COMPILE:
        model = torch.compile(model)
    if distributed.world_size() == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids, find_unused_parameters=cfg.MODEL.ARCH == "sf")
