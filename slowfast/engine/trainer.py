"""The training loop. What an iteration does is a step; everything around it is a hook."""

import logging
import signal
import threading
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

logger = logging.getLogger(__name__)

# Distance of the shuffles of one loader that is read more than once in an epoch.
_TURN = 1_000_003


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
        self._stop_signal: int | None = None
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
            Preempted: SIGTERM or SIGINT arrived and the state inside the epoch was saved.
        """
        with self._signals():
            for hook in self.hooks:
                hook.before_train(self)
            while self.epoch < self.max_epoch:
                self._run_epoch()
                for hook in self.hooks:
                    hook.after_epoch(self)
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
            for hook in self.hooks:
                hook.after_step(self, {**result, "lr": lr})
            self._save_inside_epoch()

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

    def _save_inside_epoch(self) -> None:
        """Save and stop when asked to, or save when it is time."""
        if self.iteration == self.length:
            return
        asked = self.stop_asked()
        due = distributed.any_(0 < self.save_partial_every <= time.monotonic() - self._last_save)
        if not (asked or due):
            return
        self._last_save = time.monotonic()
        if self.save_partial is not None:
            self.save_partial(self.state_dict())
        if asked:
            raise Preempted(f"saved at epoch {self.epoch + 1}, iteration {self.iteration}; call again to go on")

    def state_dict(self) -> dict[str, Any]:
        """Return everything an exact resume needs (collective: every process takes part)."""
        update = self.step.update
        return {
            "model_state": plain_state(update.model),
            "optimizer_state": update.optimizer.state_dict(),
            "scaler_state": update.scaler.state_dict(),
            "epoch": self.epoch if self.iteration == self.length else self.epoch - 1,
            "iteration": self.iteration % self.length,
            "best": dict(self.best),
            "pending_evaluation": self.pending_evaluation,
            "means": self.means.state_dict() if self.iteration % self.length else Mean().state_dict(),
            "metrics_position": self.metrics.position(),
            "rng": distributed.gather(rng_state()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        update = self.step.update
        unwrap(update.model).load_state_dict(state["model_state"])
        update.optimizer.load_state_dict(state["optimizer_state"])
        if state["scaler_state"]:
            update.scaler.load_state_dict(state["scaler_state"])
        self.epoch = int(state["epoch"]) + 1
        self.iteration = int(state["iteration"])
        self.best = dict(state["best"])
        self.pending_evaluation = bool(state["pending_evaluation"])
        self.means.load_state_dict(state["means"])
        self.metrics.cut(int(state["metrics_position"]))
        states = state["rng"]
        set_rng_state(states[distributed.rank() % len(states)])

    def _signals(self) -> "_StopSignals":
        """Return a context in which SIGTERM and SIGINT ask the loop to stop."""
        return _StopSignals(self)

    def stop_asked(self) -> bool:
        """Return whether any process was asked to stop (collective)."""
        return distributed.any_(self._stop_signal is not None)

    def request_stop(self, number: int) -> None:
        """Ask the loop to save and stop after the present iteration; a second request stops at once."""
        if self._stop_signal is not None:
            raise KeyboardInterrupt
        self._stop_signal = number
        logger.warning("%s: saving after this iteration, then stopping", signal.Signals(number).name)


class _StopSignals:
    """Turns SIGTERM and SIGINT into requests to stop, in the main thread only."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.before[number] = signal.signal(number, lambda received, _: self.trainer.request_stop(received))

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
