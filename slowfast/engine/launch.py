"""One experiment from its configuration: train, then test; every file lands in OUTPUT_DIR."""

import contextlib
import logging
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import TestSetting, parse_also
from slowfast.datasets.loader import gamma_of
from slowfast.datasets.splits import is_light
from slowfast.engine.build import build_bn_loader, build_evaluator, build_method, build_trainer, start_path
from slowfast.engine.checkpoint import (
    CheckpointFolder,
    plain_state,
    rng_state,
    set_rng_state,
    stored_training,
    unwrap,
    verify_checkpoint,
)
from slowfast.engine.precise_bn import adapt_batchnorm
from slowfast.engine.preflight import check_inputs, explain_memory, explain_sizes
from slowfast.engine.run import BEST, prepare_folder, start_over
from slowfast.ensemble.predictions import save_predictions
from slowfast.models import build_model, load_starting_weights, load_trained_weights
from slowfast.models.accelerate import accelerate
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.lock import folder_lock
from slowfast.utils.logging import setup_logging
from slowfast.utils.paths import repo_path
from slowfast.utils.stop import stop_signals

logger = logging.getLogger(__name__)

# What a training takes from a training state of another folder; the rest belongs to that run.
_CARRIED = ("model_state", "networks", "method_state", "optimizer_state", "scaler_state", "scaler", "epoch")


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
        if cfg.TRAIN.ENABLE:
            with explain_memory(cfg, "training"):
                check_training(cfg, model, device)
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


def check_training(cfg: CfgNode, model: nn.Module, device: torch.device) -> None:
    """Build method and optimizer once before anything is written; no random generator is moved.

    Raises:
        InputError: the method keeps what cannot be saved, or the network does not fit TRAIN.FREEZE or the optimizer.
    """
    before = rng_state()
    build_method(cfg, model, device, wrapped=False)
    set_rng_state(before)


@contextlib.contextmanager
def process_setup(cfg: CfgNode):
    """Join the job, set threads, seeds and what SIGTERM does; yield the device."""
    with stop_signals(), distributed.process_group(cfg.NUM_GPUS, cfg.DIST_BACKEND) as device:
        if cfg.NUM_THREADS:
            torch.set_num_threads(cfg.NUM_THREADS)
        seed_generators(cfg)
        with _deterministic(cfg.TRAIN.DETERMINISTIC):
            yield device


@contextlib.contextmanager
def _deterministic(enabled: bool):
    """Allow only algorithms that give the same bits every time."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def seed_generators(cfg: CfgNode) -> None:
    """Seed every random generator of this process."""
    seed = cfg.RNG_SEED + distributed.rank()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


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


def test(cfg: CfgNode, model: nn.Module, output: Path, device: torch.device) -> None:
    """Test the chosen weights on TEST.DATA_SELECT and TEST.ALSO; each gives one PKL in `output`."""
    path = test_checkpoint(cfg, output)
    verify_checkpoint(path)
    logger.info("%s", load_trained_weights(cfg, model, path).summary())
    stored = plain_state(model)
    main = TestSetting(cfg.TEST.DATA_SELECT, cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS)
    for setting in dict.fromkeys([main, *map(parse_also, cfg.TEST.ALSO)]):
        # So that a test is the same in the run that trained and in a later one.
        seed_generators(cfg)
        gamma = gamma_of(cfg, setting.split, "test") if setting.gamma is None else setting.gamma
        if setting.bn_split:
            _adapt_to(cfg, model, setting.bn_split, setting.gamma, device)
        evaluator = build_evaluator(
            cfg,
            setting.split,
            "test",
            device,
            views=setting.views,
            crops=setting.crops,
            gamma=gamma,
            score=cfg.TEST.SCORE,
        )
        predictions = evaluator.predict(model)
        size = f"{cfg.DATA.NUM_FRAMES}x{cfg.DATA.TEST_CROP_SIZE}x{setting.views}x{setting.crops}"
        if distributed.is_main():
            save_predictions(output / f"{setting.split}x{size}{setting.suffix}.pkl", predictions)
            _log_test(f"{setting.split}x{size}{setting.suffix}", predictions)
        if setting.bn_split:
            unwrap(model).load_state_dict(stored)


def _adapt_to(cfg: CfgNode, model: nn.Module, split: str, gamma: float | None, device: torch.device) -> None:
    """Take the BatchNorm statistics from a split, seen with the gamma of the test (light clips with their own)."""
    if is_light(split, cfg.DATA.SPLITS):
        gamma = gamma_of(cfg, split, "bn")
    elif gamma is None:
        gamma = gamma_of(cfg, split, "test")
    loader = build_bn_loader(cfg, split, gamma=gamma)
    loader.set_epoch(0)
    adapt_batchnorm(
        unwrap(model),
        loader,
        num_batches=cfg.BN.NUM_BATCHES_PRECISE,
        clips_of=lambda batch: batch["clips"].to(device),
    )


def test_checkpoint(cfg: CfgNode, output: Path) -> Path:
    """Return the weights to test: the given file, the best, the last, or the starting weights.

    Raises:
        InputError: there are none.
    """
    if cfg.TEST.CHECKPOINT_FILE_PATH:
        return repo_path(cfg.TEST.CHECKPOINT_FILE_PATH)
    last = CheckpointFolder(output / "checkpoints").numbered()[-1:]
    candidates = [output / BEST] if cfg.TEST.TEST_BEST else []
    candidates += last
    if cfg.TRAIN.CHECKPOINT_FILE_PATH:
        candidates.append(repo_path(cfg.TRAIN.CHECKPOINT_FILE_PATH))
    for path in candidates:
        if path.is_file():
            if cfg.TEST.TEST_BEST and path.name != BEST:
                logger.warning("%s has no %s: testing %s", output, BEST, path)
            return path
    raise InputError(
        f"{output} has no {BEST} and no checkpoint: train first (run.sh), or set TEST.CHECKPOINT_FILE_PATH"
    )


def _log_test(name: str, predictions: Any) -> None:
    """Log accuracy and unreadable videos of a test."""
    known = (predictions.video_labels >= 0) & ~predictions.missing
    text = f"{name}: {len(predictions.video_labels)} videos"
    if known.any():
        right = predictions.video_preds[known].argmax(1) == predictions.video_labels[known]
        text += f", top-1 {100.0 * right.mean():.2f} %"
    if predictions.failed:
        text += f", {len(predictions.failed)} could not be read: {', '.join(predictions.failed[:10])}"
    logger.info(text)


def _is_finished(state: dict[str, Any], cfg: CfgNode) -> bool:
    """Return whether a state is that of a finished training."""
    return state["epoch"] + 1 >= cfg.SOLVER.MAX_EPOCH and not state["iteration"] and not state["pending_evaluation"]
