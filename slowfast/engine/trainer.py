"""The training loop. What an iteration does is a step; everything around it is a hook."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from slowfast.engine.checkpoint import plain_state, rng_state, set_rng_state, unwrap
from slowfast.engine.metrics import Mean, MetricsLog
from slowfast.engine.steps import PseudoLabelStep, SourceStep
from slowfast.solver import LRSchedule
from slowfast.utils import distributed
from slowfast.utils.cli import Preempted
from slowfast.utils.errors import InputError
from slowfast.utils.stop import stop_requested

logger = logging.getLogger(__name__)

# Distance of the shuffles of one loader that is read more than once in an epoch.
_TURN = 1_000_003
# Measurements of a step that are summed over the processes (losses: means, weighted with their counts).
_SUMMED = ("loss", "top1_err", "top5_err", "count", "target_loss", "target_top1_err", "target_top5_err", "target_count")


class Hook:
    """Something that happens around the iterations; every method is optional."""

    def before_train(self, trainer: "Trainer") -> None:
        """Called once, after a resume."""

    def after_step(self, trainer: "Trainer", result: dict[str, Any]) -> None:
        """Called after every iteration with what the step returned."""

    def after_epoch(self, trainer: "Trainer") -> None:
        """Called after the last iteration of every epoch, before the epoch counts as finished."""

    def after_train(self, trainer: "Trainer") -> None:
        """Called once at the end."""


class Trainer:
    """Runs epochs of steps over one or two loaders and calls the hooks.

    Args:
        step: the maths of an iteration.
        loaders: one loader per batch that the step takes; the first one (source) sets the schedule.
        schedule: learning rate of a fractional epoch.
        max_epoch: epochs of the run.
        seed: of the per-iteration generators (mixup).
        hooks: called in this order.
        metrics: where measurements go.
        steps_per_epoch: iterations of an epoch; 0: as many as the shorter loader has.
        save_partial_every: seconds between two saves inside an epoch; 0 saves only when asked to stop.
    """

    def __init__(
        self,
        *,
        step: SourceStep | PseudoLabelStep,
        loaders: Sequence[Any],
        schedule: LRSchedule,
        max_epoch: int,
        seed: int,
        hooks: Sequence[Hook] = (),
        metrics: MetricsLog | None = None,
        steps_per_epoch: int = 0,
        save_partial_every: float = 0.0,
    ) -> None:
        self.step, self.loaders, self.schedule = step, list(loaders), schedule
        self.max_epoch, self.seed, self.hooks = max_epoch, seed, list(hooks)
        self.metrics = metrics or MetricsLog(None)
        self.length = steps_per_epoch or min(len(loader) for loader in loaders)
        self.lr_length = steps_per_epoch or len(loaders[0])
        self.save_partial_every = save_partial_every
        self.epoch = 0
        self.iteration = 0
        self.best: dict[str, float] = {}
        self.pending_evaluation = False
        self.means = Mean()
        self.save_partial = None
        self.unsaved: dict[str, Any] | None = None
        self._last_save = time.monotonic()

    @property
    def model(self) -> torch.nn.Module:
        """The network without wrappers."""
        return unwrap(self.step.update.model)

    @property
    def last_epoch(self) -> bool:
        """Whether the present epoch is the last one."""
        return self.epoch + 1 == self.max_epoch

    def train(self) -> None:
        """Run the remaining epochs.

        Raises:
            Preempted: SIGTERM or SIGINT arrived and everything an exact resume needs was saved.
        """
        for hook in self.hooks:
            hook.before_train(self)
        while self.epoch < self.max_epoch:
            self._run_epoch()
            self._finish_epoch()
            self.epoch, self.iteration, self.means = self.epoch + 1, 0, Mean()
        for hook in self.hooks:
            hook.after_train(self)

    def _run_epoch(self) -> None:
        """Run the remaining iterations of the present epoch."""
        streams = [self._stream(loader) for loader in self.loaders]
        self.step.update.model.train()
        for batches in zip(*streams):
            lr = self.schedule.at(self.epoch + self.iteration / self.lr_length)
            result = self.step.run(list(batches), lr, self._generators())
            self.iteration += 1
            result, asked, due = self._agree(result)
            for hook in self.hooks:
                hook.after_step(self, {**result, "lr": lr})
            self._save_inside_epoch(asked, due)

    def _finish_epoch(self) -> None:
        """Call the hooks after an epoch; a stop among them goes back to the state before the first one."""
        self.unsaved = self.state_dict()
        try:
            for hook in self.hooks:
                hook.after_epoch(self)
        except Preempted:
            if self.unsaved is not None and self.save_partial is not None:
                self.save_partial(self.unsaved)
            raise
        self.unsaved = None

    def _stream(self, loader: Any) -> Iterator[dict[str, Any]]:
        """Yield the remaining batches of the epoch; a short loader is read again with another shuffle."""
        done = self.iteration
        while done < self.length:
            turn, position = divmod(done, len(loader))
            loader.set_epoch(self.epoch + turn * _TURN, position)
            for batch in loader:
                yield batch
                done += 1
                if done == self.length:
                    return

    def _generators(self) -> list[np.random.RandomState]:
        """Return a generator per loader that depends on seed, epoch, iteration, loader and process only."""
        place = [self.seed, self.epoch, self.iteration, distributed.rank()]
        return [np.random.RandomState([*place, number]) for number in range(len(self.loaders))]

    def _agree(self, result: dict[str, Any]) -> tuple[dict[str, Any], bool, bool]:
        """Return the measurements over all processes, and whether any of them asks to stop or to save."""
        due = 0 < self.save_partial_every <= time.monotonic() - self._last_save
        names = [name for name in _SUMMED if name in result]
        values = [result[name] * (result[_count_of(name)] if name.endswith("loss") else 1) for name in names]
        asked, due, *sums = distributed.sum_numbers([float(stop_requested()), float(due), *values])
        if distributed.world_size() == 1:
            return result, asked > 0, due > 0
        totals = dict(zip(names, sums))
        for name in names:
            totals[name] /= totals[_count_of(name)] if name.endswith("loss") else 1
        return {**result, **totals}, asked > 0, due > 0

    def _save_inside_epoch(self, asked: bool, due: bool) -> None:
        """Save and stop when asked to, or save when it is time; the end of an epoch has its own way."""
        if self.iteration == self.length or not (asked or due):
            return
        self._last_save = time.monotonic()
        if self.save_partial is not None:
            self.save_partial(self.state_dict())
        distributed.barrier()
        if asked:
            raise Preempted(f"saved at epoch {self.epoch + 1}, iteration {self.iteration}; call again to go on")

    def state_dict(self, *, epoch_done: bool = False) -> dict[str, Any]:
        """Return everything an exact resume needs (collective: every process takes part).

        Args:
            epoch_done: the present epoch counts as finished, with its hooks up to the caller.
        """
        update = self.step.update
        return {
            "model_state": plain_state(update.model),
            "optimizer_state": update.optimizer.state_dict(),
            "scaler_state": update.scaler.state_dict(),
            "epoch": self.epoch if epoch_done else self.epoch - 1,
            "iteration": 0 if epoch_done else self.iteration,
            "best": dict(self.best),
            "pending_evaluation": self.pending_evaluation,
            "means": Mean().state_dict() if epoch_done else self.means.state_dict(),
            "metrics_position": self.metrics.position(),
            "metrics_digest": self.metrics.digest(),
            "rng": distributed.gather(rng_state()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, or after the epoch of a checkpoint of the original code.

        Raises:
            InputError: the state is that of another network or optimizer.
        """
        update = self.step.update
        scaler = state.get("scaler_state", state.get("scaler"))
        try:
            unwrap(update.model).load_state_dict(state["model_state"])
            update.optimizer.load_state_dict(state["optimizer_state"])
            if scaler:
                update.scaler.load_state_dict(scaler)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"the training state does not fit this network or optimizer ({reason}); set "
                "TRAIN.CHECKPOINT_KEEP_EPOCH False to take its weights only"
            ) from None
        self.epoch = int(state["epoch"]) + 1
        self.iteration = int(state.get("iteration", 0))
        self.best = dict(state.get("best", {}))
        self.pending_evaluation = bool(state.get("pending_evaluation", False))
        self.means.load_state_dict(state.get("means") or Mean().state_dict())
        self.metrics.cut(int(state.get("metrics_position", 0)), state.get("metrics_digest", ""))
        states = state.get("rng")
        if states:
            set_rng_state(states[distributed.rank() % len(states)])

    def stop_asked(self) -> bool:
        """Return whether any process was asked to stop (collective)."""
        return distributed.any_(stop_requested())


def _count_of(name: str) -> str:
    """Return the name of the number of samples that a mean was taken over."""
    return "target_count" if name.startswith("target_") else "count"
