"""Where a run stands, and its output folder: what a training there goes on from, and whose settings it has."""

import contextlib
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode

from slowfast.config import dump_config, get_cfg
from slowfast.engine.checkpoint import CheckpointFolder, DamagedCheckpoint, load_checkpoint, stored_training
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.files import remove_leftovers, write_text

logger = logging.getLogger(__name__)

BEST = "best.pyth"
METRICS = "metrics.jsonl"
RESOLVED = "config.yaml.resolved"
# Keys that may differ between the runs that share a folder: they do not change what is learned.
_FREE_SECTIONS = ("TEST", "TENSORBOARD", "DATA_LOADER")
_FREE_KEYS = (
    "OUTPUT_DIR", "NUM_GPUS", "NUM_THREADS", "LOG_PERIOD", "LOG_MODEL_INFO", "DIST_BACKEND", "TRAIN.ENABLE",
    "TRAIN.AUTO_RESUME", "TRAIN.KEEP_CHECKPOINTS", "TRAIN.SAVE_EVERY_MINUTES", "TRAIN.SAVE_LATEST",
    "TRAIN.CHECKPOINT_PERIOD", "TRAIN.COMPILE", "TRAIN.DETERMINISTIC", "TRAIN.ON_NAN", "DATA.CACHE_DIR",
    "DATA.PATH_PREFIX", "DATA.DECODING_BACKEND", "DATA.GAMMA.TEST", "DATA.CLASS_NAMES",
)  # fmt: skip


class Mean:
    """Weighted means of the values of an epoch."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.weights: dict[str, float] = {}

    def add(self, name: str, total: float, weight: float) -> None:
        """Add a sum over `weight` samples."""
        self.totals[name] = self.totals.get(name, 0.0) + total
        self.weights[name] = self.weights.get(name, 0.0) + weight

    def mean(self, name: str) -> float:
        """Return the mean of a value, NaN when nothing was added."""
        weight = self.weights.get(name, 0.0)
        return self.totals[name] / weight if weight else math.nan

    def state_dict(self) -> dict[str, dict[str, float]]:
        """Return the sums."""
        return {"totals": dict(self.totals), "weights": dict(self.weights)}

    def load_state_dict(self, state: dict[str, dict[str, float]]) -> None:
        """Restore the sums."""
        self.totals, self.weights = dict(state["totals"]), dict(state["weights"])


@dataclass
class RunState:
    """Where a training stands.

    Attributes:
        epoch: the present one, from 0.
        iteration: iterations of it that are done.
        phase: of the epoch: `train`; `evaluate`, everything but its evaluation is done; `done`.
        best: split -> smallest top-1 error so far, percent.
        means: of the measures of the epoch so far.
    """

    epoch: int = 0
    iteration: int = 0
    phase: str = "train"
    best: dict[str, float] = field(default_factory=dict)
    means: Mean = field(default_factory=Mean)

    def next_epoch(self) -> None:
        """Go to the start of the next epoch."""
        self.epoch, self.iteration, self.phase, self.means = self.epoch + 1, 0, "train", Mean()

    def state_dict(self) -> dict[str, Any]:
        """Return the entries of a checkpoint; its `epoch` is the last one that is trained, from 0."""
        inside = self.phase == "train"
        return {
            "epoch": self.epoch - 1 if inside else self.epoch,
            "iteration": self.iteration if inside else 0,
            "pending_evaluation": self.phase == "evaluate",
            "best": dict(self.best),
            "means": self.means.state_dict() if inside else Mean().state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, or go on after the epoch of a checkpoint of the original code."""
        self.epoch, self.iteration = int(state["epoch"]), int(state.get("iteration", 0))
        self.phase = "evaluate" if state.get("pending_evaluation") and not self.iteration else "train"
        self.epoch += self.phase == "train"
        self.best = dict(state.get("best", {}))
        self.means.load_state_dict(state.get("means") or Mean().state_dict())


def checkpoints_of(cfg: CfgNode, output: Path) -> CheckpointFolder:
    """Return the checkpoints of the run in `output`."""
    return CheckpointFolder(output / "checkpoints", keep=cfg.TRAIN.KEEP_CHECKPOINTS)


def prepare_folder(cfg: CfgNode, output: Path) -> dict[str, Any] | None:
    """Write the resolved configuration, and return the state that a training goes on from, or None (collective).

    Raises:
        InputError: the folder holds a training with other settings.
    """
    if distributed.is_main():
        remove_leftovers(output)
        remove_leftovers(output / "checkpoints")
    state = _last_state(cfg, output) if cfg.TRAIN.ENABLE and cfg.TRAIN.AUTO_RESUME else None
    if distributed.is_main() and (cfg.TRAIN.ENABLE or not (output / RESOLVED).exists()):
        write_text(output / RESOLVED, dump_config(cfg))
    return state


def _last_state(cfg: CfgNode, output: Path) -> dict[str, Any] | None:
    """Return the state of the furthest undamaged checkpoint, if it was made with these settings."""
    folder = checkpoints_of(cfg, output)
    before = any(folder.folder.glob("checkpoint_*.pyth"))
    path = distributed.from_main(folder.find_last)
    if path is None:
        if before and distributed.is_main():
            logger.warning("%s: no checkpoint can be read, the training starts over", folder.folder)
        distributed.from_main(lambda: _check_best(cfg, output))
        return None
    state = load_checkpoint(path)
    _check_settings(state, cfg, output)
    logger.info("resuming from %s", path)
    if not distributed.from_main(lambda: _has_sound_best(output)) and state.get("best"):
        logger.warning("%s has no %s any more: the best of the epochs to come is kept", output, BEST)
        state["best"] = {}
    return state


def _check_settings(state: dict[str, Any], cfg: CfgNode, output: Path) -> None:
    """Refuse to go on from, or over, the state of a training with other settings.

    Raises:
        InputError: naming the settings that differ.
    """
    differing = _differing_settings(state, cfg)
    if differing:
        raise InputError(
            f"{output} holds a training with other settings ({', '.join(differing)}): choose another OUTPUT_DIR, "
            "delete the folder, or set TRAIN.AUTO_RESUME False to start over in it"
        )


def _check_best(cfg: CfgNode, output: Path) -> None:
    """Refuse to replace the best weights of a training with other settings whose checkpoints are gone."""
    state = None
    with contextlib.suppress(DamagedCheckpoint):
        state = stored_training(output / BEST)
    if state is not None:
        _check_settings(state, cfg, output)


def _has_sound_best(output: Path) -> bool:
    """Return whether the best weights so far are there.

    Raises:
        InputError: they are damaged, and nothing else holds them.
    """
    path = output / BEST
    if not path.exists():
        return False
    try:
        load_checkpoint(path)
    except DamagedCheckpoint as error:
        raise InputError(
            f"{error}: the weights of the best epoch are lost; delete {path} to keep the best of the epochs to come, "
            "or set TRAIN.AUTO_RESUME False to start over"
        ) from None
    return True


def start_over(cfg: CfgNode, output: Path) -> None:
    """Remove what would mix a former training into a new one; its `best.pyth` stays until there is a better one."""
    checkpoints_of(cfg, output).clear()
    (output / METRICS).unlink(missing_ok=True)


def _differing_settings(state: dict[str, Any], cfg: CfgNode) -> list[str]:
    """Return the dotted keys in which the run of a checkpoint differs; keys that it did not know had the default."""
    if not isinstance(state.get("cfg"), str):
        return []
    defaults, new = yaml.safe_load(dump_config(get_cfg())), yaml.safe_load(dump_config(cfg))
    return _differing_keys(_merged(defaults, yaml.safe_load(state["cfg"])), new)


def _merged(base: dict, over: dict) -> dict:
    """Return `base` with the values of `over`."""
    both = {name: _merged(base[name], over[name]) for name in base.keys() & over.keys() if isinstance(base[name], dict)}
    return {**base, **over, **both}


def _differing_keys(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Return the dotted keys that differ and matter for what is learned."""
    keys: list[str] = []
    for name in sorted(set(old) & set(new)):
        key = f"{prefix}{name}"
        if key in _FREE_KEYS or key.split(".")[0] in _FREE_SECTIONS:
            continue
        left, right = old[name], new[name]
        if isinstance(left, dict) and isinstance(right, dict):
            keys += _differing_keys(left, right, f"{key}.")
        elif left != right:
            keys.append(key)
    return keys
