"""Where a run stands, and its output folder: what a training there goes on from, and whose settings it has."""

import contextlib
import logging
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.config import dump_config
from slowfast.engine.checkpoint import CheckpointFolder, DamagedCheckpoint, load_checkpoint, stored_training
from slowfast.engine.parents import changes, shortened
from slowfast.parents import MadeOf
from slowfast.parents.record import record_path
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.files import remove_leftovers, write_text
from slowfast.utils.lock import folder_lock

logger = logging.getLogger(__name__)

BEST = "best.pyth"
METRICS = "metrics.jsonl"
RESOLVED = "config.yaml.resolved"
TESTED = "config.test.yaml.resolved"
CURVES = "tensorboard"
# What a run writes before it has a result.
_PREPARED = {".lock", "stdout.log", RESOLVED, TESTED, CURVES}


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


@contextlib.contextmanager
def held_folder(output: Path) -> Iterator[None]:
    """Hold the folder of a run; one that it made itself is gone again when bad input ends it without any result."""
    made = [path for path in (output, *output.parents) if not path.exists()]
    with folder_lock(output):
        try:
            yield
        except InputError:
            if made and {path.name for path in output.iterdir()} <= _PREPARED:
                shutil.rmtree(output)
                _remove_empty(made[1:])
            raise


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, inner ones first, up to one that others use by now."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def checkpoints_of(cfg: CfgNode, output: Path) -> CheckpointFolder:
    """Return the checkpoints of the run in `output`."""
    return CheckpointFolder(output / "checkpoints", keep=cfg.TRAIN.KEEP_CHECKPOINTS)


def prepare_folder(cfg: CfgNode, output: Path, made_of: MadeOf | None = None) -> dict[str, Any] | None:
    """Write the resolved configuration, and return the state that a training goes on from, or None (collective).

    Args:
        cfg: the run.
        output: its folder.
        made_of: what its training is made from; None when it trains nothing.

    Raises:
        InputError: the folder holds a training from other inputs, and TRAIN.ON_CHANGE is `refuse`.
    """
    if distributed.is_main():
        remove_leftovers(output)
        remove_leftovers(output / "checkpoints")
    state = _last_state(cfg, output, made_of) if made_of is not None and cfg.TRAIN.AUTO_RESUME else None
    if distributed.is_main() and (cfg.TRAIN.ENABLE or not (output / RESOLVED).exists()):
        write_text(output / RESOLVED, dump_config(cfg))
    elif distributed.is_main():
        write_text(output / TESTED, dump_config(cfg))
    return state


def _last_state(cfg: CfgNode, output: Path, made_of: MadeOf) -> dict[str, Any] | None:
    """Return the state of the furthest undamaged checkpoint, if it is that of this training."""
    folder = checkpoints_of(cfg, output)
    before = any(folder.folder.glob("checkpoint_*.pyth"))
    path = distributed.from_main(folder.find_last)
    if path is None:
        if before and distributed.is_main():
            logger.warning("%s: no checkpoint can be read, the training starts over", folder.folder)
        distributed.from_main(lambda: _check_best(cfg, output, made_of))
        return None
    state = load_checkpoint(path)
    if not _is_same(state, cfg, output, made_of):
        return None
    logger.info("resuming from %s", path)
    if not distributed.from_main(lambda: _has_sound_best(output)) and state.get("best"):
        logger.warning("%s has no %s any more: the best of the epochs to come is kept", output, BEST)
        state["best"] = {}
    return state


def _is_same(state: dict[str, Any], cfg: CfgNode, output: Path, made_of: MadeOf) -> bool:
    """Return whether a stored training is this one; what has changed is told.

    Raises:
        InputError: it is another, and TRAIN.ON_CHANGE does not say `restart`.
    """
    differing = changes(state, made_of)
    if differing and cfg.TRAIN.ON_CHANGE != "restart":
        raise InputError(
            f"{output} holds a training with other settings or inputs ({shortened(differing)}): set TRAIN.ON_CHANGE "
            "restart to start over in it, or choose another OUTPUT_DIR"
        )
    if differing:
        logger.warning("%s: the training starts over, changed: %s", output, shortened(differing))
    return not differing


def _check_best(cfg: CfgNode, output: Path, made_of: MadeOf) -> None:
    """Refuse to replace the best weights of another training whose checkpoints are gone."""
    state = None
    with contextlib.suppress(DamagedCheckpoint):
        state = stored_training(output / BEST)
    if state is not None:
        _is_same(state, cfg, output, made_of)


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
    """Remove what would mix a former training into a new one; its best weights are put aside as `best.pyth.before`."""
    for path in (output / BEST, record_path(output / BEST)):
        if path.exists():
            os.replace(path, path.with_name(path.name.replace(BEST, f"{BEST}.before")))
    checkpoints_of(cfg, output).clear()
    (output / METRICS).unlink(missing_ok=True)
    for path in (output / CURVES).glob("events.out.tfevents.*"):
        path.unlink()
