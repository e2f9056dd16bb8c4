"""One experiment from its configuration: train, then test; every file lands in OUTPUT_DIR."""

import contextlib
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import dump_config
from slowfast.datasets.sources import Sources
from slowfast.engine.build import build_head_evaluator, build_method, build_trainer, start_path
from slowfast.engine.checkpoint import load_checkpoint, rng_state, save_checkpoint, set_rng_state, stored_training
from slowfast.engine.methods.first_head import fit_head
from slowfast.engine.parents import START, Origin, complete_record, origin_of_training
from slowfast.engine.predictor import check_adaptations, test
from slowfast.engine.preflight import check_inputs, explain_memory, explain_sizes
from slowfast.engine.run import BEST, held_folder, prepare_folder, start_over
from slowfast.ensemble.provenance import expected_round, unworthy
from slowfast.models import build_model, load_starting_weights
from slowfast.models.accelerate import accelerate
from slowfast.parents.record import commit, versions
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
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
        sources = distributed.from_main(lambda: check_inputs(cfg, output))
        model = accelerate(build_model(cfg).to(device), device=device, training=cfg.TRAIN.ENABLE)
        if cfg.TRAIN.ENABLE:
            with explain_memory(cfg, "training"):
                check_training(cfg, model, device)
        if cfg.TEST.ENABLE:
            check_adaptations(cfg, model)
        distributed.from_main(lambda: stack.enter_context(held_folder(output)))
        setup_logging(output, main_process=distributed.is_main())
        made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
        logger.info("%s (commit %s, %s)", " ".join(sys.argv), commit(), made_with)
        origin = distributed.from_main(lambda: _origin(cfg, sources)) if cfg.TRAIN.ENABLE else None
        state = prepare_folder(cfg, output, origin.made_of if origin is not None else None)
        if cfg.LOG_MODEL_INFO:
            count = sum(parameter.numel() for parameter in model.parameters())
            logger.info("%s with %s parameters on %s", cfg.MODEL.ARCH, f"{count:,}", device)
        skipped = cfg.TRAIN.ENABLE and distributed.from_main(lambda: take_over(cfg, output, origin))
        if cfg.TRAIN.ENABLE and not skipped:
            with explain_memory(cfg, "training"):
                train(cfg, model, output, device, origin, state)
            if cfg.LORA.RANK:  # tested as everywhere else: with the adapters in their layers
                model = build_model(cfg).to(device)
        if cfg.TEST.ENABLE:
            with explain_memory(cfg, "testing"):
                test(cfg, model, output, device, sources)


def take_over(cfg: CfgNode, output: Path, origin: Origin) -> bool:
    """Keep the starting weights as `best.pyth` where the record of the pseudo-labels says not to train on them.

    Returns:
        Whether that is so.
    """
    table = repo_path(cfg.DATA.PATH_PREFIX) / cfg.DATA.PSEUDO_CSV
    reason = unworthy(table) if cfg.DATA.PSEUDO_CSV else ""
    path = start_path(cfg) if reason else None
    if path is None or path.is_dir():
        return False
    logger.warning("not trained: %s: %s; the weights of %s are kept", table.name, reason, path)
    made_of = replace(origin.made_of, settings={**origin.made_of.settings, "not trained": True})
    kept = {"model_state": load_checkpoint(path)["model_state"], "cfg": dump_config(cfg), "made_of": made_of.as_plain()}
    save_checkpoint(output / BEST, kept)
    replace(origin, made_of=made_of).record(output / BEST)
    return True


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
    """Join the job, set threads, seeds and what SIGTERM does; yield the device. Sizes that do not go are explained."""
    with stop_signals(), explain_sizes(cfg), distributed.process_group(cfg.NUM_GPUS, cfg.DIST_BACKEND) as device:
        if cfg.NUM_THREADS:
            torch.set_num_threads(cfg.NUM_THREADS)
        distributed.seed_generators(cfg.RNG_SEED)
        with _algorithms(device, deterministic=cfg.TRAIN.DETERMINISTIC):
            yield device


@contextlib.contextmanager
def _algorithms(device: torch.device, *, deterministic: bool):
    """Let a GPU try which convolution is the fastest, or allow only algorithms that give the same bits every time."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def _origin(cfg: CfgNode, sources: Sources) -> Origin:
    """Return what the training is made from; a resumed one may lack its starting weights."""
    start = start_path(cfg, needed=False)
    origin = origin_of_training(cfg, sources, start)
    found = origin.made_of.inputs[START].round if start is not None and start.is_file() else -1
    expected = expected_round(start) if found >= 0 else None
    if expected not in (None, found):
        logger.warning("%s: weights of round %d, where those of round %d belong", start, found, expected)
    return origin


def train(
    cfg: CfgNode,
    model: nn.Module,
    output: Path,
    device: torch.device,
    origin: Origin,
    state: dict[str, Any] | None = None,
) -> None:
    """Train, going on from `state` when there is one (of this folder's checkpoints)."""
    if state is not None and _is_finished(state, cfg):
        logger.info("training of %d epochs is already finished", cfg.SOLVER.MAX_EPOCH)
        distributed.from_main(lambda: complete_record(output / BEST, origin))
        return
    fresh = state is None
    if fresh:
        state = load_start(cfg, model)
        if cfg.TRAIN.FIT_HEAD and state is None:
            fit_head(model, build_head_evaluator(cfg, device))
    trainer = build_trainer(cfg, model, output, device, origin)
    if fresh:
        distributed.from_main(lambda: start_over(cfg, output))
    if state is not None:
        trainer.load_state_dict(state)
    trainer.train()
    distributed.from_main(lambda: complete_record(output / BEST, origin))


def load_start(cfg: CfgNode, model: nn.Module) -> dict[str, Any] | None:
    """Load starting weights; with TRAIN.CHECKPOINT_KEEP_EPOCH return the training state that goes on instead.

    Raises:
        InputError: the weights do not fit, or a training cannot go on from them.
    """
    path, keep = start_path(cfg), cfg.TRAIN.CHECKPOINT_KEEP_EPOCH
    if keep and cfg.TRAIN.CHECKPOINT_EPOCH_RESET:
        raise InputError("TRAIN.CHECKPOINT_KEEP_EPOCH and TRAIN.CHECKPOINT_EPOCH_RESET are both True: set one False")
    if path is None:
        _say_random(cfg)
        return None
    if path.is_dir() and not cfg.TRAIN.CHECKPOINT_FILE_PATH:
        logger.info("starting from the weights of the folder %s", path)
        new = getattr(model, "new_parts", ())
        if new:
            logger.warning("new, to be trained: %s", ", ".join(new))
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


def _say_random(cfg: CfgNode) -> None:
    """Say that the network is random; more loudly where its trunk stays so."""
    still = "TRAIN.PROBE" if cfg.TRAIN.PROBE else "LORA.RANK" if cfg.LORA.RANK else ""
    rest = f", and {still} leaves the trunk as it is: set TRAIN.CHECKPOINT_FILE_PATH to its weights" if still else ""
    logger.warning("no starting weights are given: training from random weights%s", rest)


def _is_finished(state: dict[str, Any], cfg: CfgNode) -> bool:
    """Return whether a state is that of a finished training."""
    return state["epoch"] + 1 >= cfg.SOLVER.MAX_EPOCH and not state["iteration"] and not state["pending_evaluation"]
