"""The training loop. What an iteration does is a method's; hooks watch."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from slowfast.engine.checkpoint import Saves, plain_state, rng_state, set_rng_state, unwrap
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.hooks import Hook
from slowfast.engine.hooks.pace import Pace, on_device
from slowfast.engine.methods import Measure, Method, named_views
from slowfast.engine.methods.base import checked_measures
from slowfast.engine.run import RunState
from slowfast.engine.update import Batch
from slowfast.solver import LRSchedule, set_lr
from slowfast.utils import distributed
from slowfast.utils.cli import Preempted
from slowfast.utils.errors import InputError
from slowfast.utils.stop import stop_requested

logger = logging.getLogger(__name__)

# Distance of the shuffles of one loader that is read more than once in an epoch.
_TURN = 1_000_003
# Most iterations whose measures are left on the device.
_AHEAD = 100


class Trainer:
    """Runs the epochs of a method.

    Args:
        method: what an iteration does, with its `update`.
        loaders: name -> batches, as the method names them; the first one sets the schedule.
        views: name -> the views that lie side by side in the clips of a batch.
        schedule: learning rate of a fractional epoch.
        max_epoch: epochs of the run.
        seed: of the per-iteration generators (mixup).
        saves: the files of the run's states.
        adapt: changes a network's state (BatchNorm statistics) before it is evaluated, or None.
        evaluators: (split, evaluator) in the order of evaluation.
        keep_last: the last epoch is the best; else the last evaluator chooses it (ties overwrite), if there is one.
        hooks: called in this order.
        eval_period: epochs between two evaluations.
        save_period: epochs between two checkpoints.
        log_period: iterations between two records.
        steps_per_epoch: iterations of an epoch; 0: as many as the shortest loader has.
        save_partial_every: seconds between two saves inside an epoch; 0 saves only when asked to stop.
    """

    def __init__(
        self,
        *,
        method: Method,
        loaders: Mapping[str, Any],
        schedule: LRSchedule,
        max_epoch: int,
        seed: int,
        saves: Saves,
        views: Mapping[str, tuple[str, ...]] | None = None,
        adapt: Callable[[torch.nn.Module, int], Any] | None = None,
        evaluators: Sequence[tuple[str, Evaluator]] = (),
        keep_last: bool = False,
        hooks: Sequence[Hook] = (),
        eval_period: int = 1,
        save_period: int = 1,
        log_period: int = 1,
        steps_per_epoch: int = 0,
        save_partial_every: float = 0.0,
    ) -> None:
        self.method, self.loaders, self.schedule, self.saves = method, dict(loaders), schedule, saves
        self.views, self.adapt, self.keep_last = views or {}, adapt, keep_last
        self.max_epoch, self.seed, self.evaluators, self.hooks = max_epoch, seed, list(evaluators), list(hooks)
        self.eval_period, self.save_period, self.log_period = eval_period, save_period, log_period
        lengths = [len(loader) for loader in self.loaders.values()]
        self.length, self.lr_length = steps_per_epoch or min(lengths), steps_per_epoch or lengths[0]
        self.save_partial_every = save_partial_every
        self.run = RunState()
        self.pace, self.rates = Pace(method.device), {}  # the rates are for log and curves, no result of the run
        self._seen: list[tuple[int, float, dict[str, Measure]]] = []  # iterations whose measures nobody has read yet
        self._last_save = time.monotonic()
        self._unsaved: dict[str, Any] | None = None  # the state after the last iteration, until it is saved

    @property
    def network(self) -> torch.nn.Module:
        """The network that is evaluated, without wrappers."""
        return unwrap(self.method.network_to_test())

    @property
    def steps_done(self) -> int:
        """Iterations since the beginning of the run."""
        return self.run.epoch * self.length + self.run.iteration

    def train(self) -> None:
        """Run the remaining epochs.

        Raises:
            Preempted: SIGTERM or SIGINT arrived and everything an exact resume needs was saved.
        """
        for hook in self.hooks:
            hook.start(self)
        while self.run.epoch < self.max_epoch:
            self._run_epoch()
            self.run.next_epoch()
        for hook in self.hooks:
            hook.finish(self)

    def _run_epoch(self) -> None:
        """Run what is left of an epoch: train, adapt, save, evaluate, keep the best."""
        try:
            if self.run.phase == "train":
                self.train_epoch()
                self._unsaved = self.state_dict()
                self._record_means()
                self._adapt()
                self._save()
            if self.run.phase == "evaluate":
                is_best = self._evaluate()
                self._keep_best(is_best or self.keep_last)
        except Preempted:
            if self._unsaved is not None:  # nothing after the last iteration counts
                self.saves.partial(self._unsaved)
            raise
        self._unsaved = None
        if self.run.epoch + 1 == self.max_epoch:
            self.saves.epoch(self.state_dict(), self.run.epoch)  # says that nothing is left to do
            distributed.barrier()

    def train_epoch(self) -> None:
        """Run the remaining iterations of the epoch."""
        for network in self.method.trained().values():
            network.train()
        streams = [on_device(self._stream(loader), self.method.device) for loader in self.loaders.values()]
        self.pace.restart()
        while True:
            mark = self.pace.now()
            batches = {name: batch for name, stream in zip(self.loaders, streams) if (batch := next(stream, None))}
            if len(batches) < len(self.loaders):
                return
            self.pace.add(mark, sum(len(batch.get("names", ())) for batch in batches.values()))
            lr = self.schedule.at(self.run.epoch + self.run.iteration / self.lr_length)
            measures = self.step(batches, lr)
            self.run.iteration += 1
            self._seen.append((self.run.iteration, lr, measures))
            asked, due = self._agree()
            is_told = not self.run.iteration % self.log_period or self.run.iteration == self.length
            if is_told or asked or due or len(self._seen) >= _AHEAD:
                self._read()
            self._save_inside_epoch(asked, due)

    def step(self, batches: dict[str, Batch], lr: float) -> dict[str, Measure]:
        """Run one iteration."""
        update = self.method.update
        set_lr(update.optimizer, lr)
        for number, (name, batch) in enumerate(batches.items()):
            rng = np.random.RandomState(
                [self.seed, self.run.epoch, self.run.iteration, distributed.rank(), number]
            )  # depends on nothing else, so that a run resumes exactly
            batches[name] = {**named_views(batch, self.views.get(name, ())), "rng": rng}
        measures = checked_measures(self.method, self.method.step(batches))
        self._share_buffers()
        return measures

    def _share_buffers(self) -> None:
        """Keep alike in all processes what is no parameter: buffers of the method and of all its networks."""
        buffers = [buffer for network in self.method.networks().values() for buffer in network.buffers()]
        distributed.share_(*self.method.own_state().values(), *buffers)

    def _stream(self, loader: Any) -> Iterator[Batch]:
        """Yield the remaining batches of the epoch; a short loader is read again with another shuffle."""
        done = self.run.iteration
        while done < self.length:
            turn, position = divmod(done, len(loader))
            loader.set_epoch(self.run.epoch + turn * _TURN, position)
            for batch in loader:
                yield batch
                done += 1
                if done == self.length:
                    return

    def _agree(self) -> tuple[bool, bool]:
        """Return whether any process asks to stop or to save."""
        due = 0 < self.save_partial_every <= time.monotonic() - self._last_save
        asked, due = distributed.sum_numbers([float(stop_requested()), float(due)])
        return asked > 0, due > 0

    def _read(self) -> None:
        """Read the measures of the iterations so far: the only moment at which the loop waits for a GPU.

        Raises:
            InputError: one of the iterations had a loss or a gradient that is not finite.
        """
        self.method.update.check()
        seen = [(iteration, lr, _as_numbers(measures)) for iteration, lr, measures in self._seen]
        self._seen.clear()
        every = [measure for _, _, measures in seen for measure in measures.values()]
        totals = [measure.value * measure.weight if measure.weight else 0.0 for measure in every]
        sums = distributed.sum_numbers([*(measure.weight for measure in every), *totals])
        shared = iter(zip(sums[: len(every)], sums[len(every) :]))
        for iteration, lr, measures in seen:
            for name, measure in measures.items():
                weight, total = next(shared)
                if weight and distributed.world_size() > 1:
                    measures[name] = measure._replace(value=total / weight, weight=weight)
            self._note(iteration, measures, lr)

    def _note(self, iteration: int, measures: dict[str, Measure], lr: float) -> None:
        """Add to the epoch's means; record every `log_period` iterations."""
        for name, measure in measures.items():
            if measure.weight and np.isfinite(measure.value):
                self.run.means.add(name, measure.value * measure.weight, measure.weight)
        is_due = not iteration % self.log_period or iteration == self.length
        if is_due:
            self.rates = self.pace.take()
        for hook in self.hooks:
            hook.step(self, iteration, measures, lr)
        if not is_due:
            return
        values = {name: measure.value for name, measure in measures.items() if measure.every_iteration}
        first = {name: values.pop(name) for name in ("loss", "grad_norm") if name in values}
        self._record("train_iter", {"iter": iteration, **first, "lr": lr, **values})

    def _record(self, kind: str, values: dict[str, Any]) -> None:
        """Let the hooks know."""
        for hook in self.hooks:
            hook.record(self, kind, {"epoch": self.run.epoch + 1, **values})

    def _save_inside_epoch(self, asked: bool, due: bool) -> None:
        """Save and stop when asked to, or save when it is time; the end of an epoch has its own way."""
        if self.run.iteration == self.length or not (asked or due):
            return
        self._last_save = time.monotonic()
        self.saves.partial(self.state_dict())
        distributed.barrier()
        self.pace.restart()
        if asked:
            raise Preempted(f"saved at epoch {self.run.epoch + 1}, iteration {self.run.iteration}; call again to go on")

    def _record_means(self) -> None:
        """Record the means of the epoch."""
        lr = self.schedule.at(self.run.epoch + (self.length - 1) / self.lr_length)
        means = {name: self.run.means.mean(name) for name in sorted(self.run.means.totals)}
        self._record("train_epoch", {"lr": lr, **means})

    def _adapt(self) -> None:
        """Adapt the network when it is going to be evaluated."""
        is_due = self._is_due(self.eval_period)
        if is_due and self.adapt is not None:
            self.adapt(self.network, self.run.epoch)
        self.run.phase = "evaluate" if is_due else "done"

    def _is_due(self, period: int) -> bool:
        """Return whether something that happens every `period` epochs and in the last one happens in this one."""
        return self.run.epoch + 1 == self.max_epoch or (self.run.epoch + 1) % period == 0

    def _save(self) -> None:
        """Save when it is time or a stop is asked for."""
        stopping = distributed.any_(stop_requested())
        if stopping or self._is_due(self.save_period):
            self.saves.epoch(self.state_dict(), self.run.epoch)
            self._unsaved = None
        if stopping:
            distributed.barrier()
            raise Preempted(f"saved after epoch {self.run.epoch + 1}; call again to go on")

    def _evaluate(self) -> bool:
        """Evaluate all splits; return whether the network is the best so far."""
        is_best = True
        for buffer in self.network.buffers():
            distributed.share_(buffer)  # the statistics of the process whose state is saved
        for split, evaluator in self.evaluators:
            errors = evaluator.errors(self.network)
            name, error = next(iter(errors.items()))
            is_best = error <= self.run.best.get(split, 100.0)
            self.run.best[split] = best = min(error, self.run.best.get(split, 100.0))
            self._record("val_epoch", {"split": split, **errors, f"min_{name}": best})
        self.run.phase = "done"
        return is_best

    def _keep_best(self, is_best: bool) -> None:
        """Save the best state."""
        if is_best:
            self.saves.best(self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return everything an exact resume needs (collective: every process takes part)."""
        update, tested = self.method.update, self.method.network_to_test()
        others = {name: part for name, part in self.method.networks().items() if part is not tested}
        state = {
            "model_state": plain_state(tested),
            "networks": {name: plain_state(network) for name, network in others.items()},
            "method_state": {name: tensor.detach().cpu().clone() for name, tensor in self.method.own_state().items()},
            "optimizer_state": update.optimizer.state_dict(),
            "scaler_state": update.scaler.state_dict(),
            **self.run.state_dict(),
            "rng": distributed.gather(rng_state()),
        }
        for hook in self.hooks:
            state |= hook.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, or after the epoch of a checkpoint of the original code.

        Raises:
            InputError: the state is that of another network, method or optimizer.
        """
        update, tested = self.method.update, self.method.network_to_test()
        scaler = state.get("scaler_state", state.get("scaler"))
        try:
            for name, network in self.method.networks().items():
                weights = state["model_state"] if network is tested else state["networks"][name]
                unwrap(network).load_state_dict(weights)
            for name, tensor in self.method.own_state().items():
                tensor.copy_(state["method_state"][name])
            update.optimizer.load_state_dict(state["optimizer_state"])
            if scaler:
                update.scaler.load_state_dict(scaler)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"the training state does not fit this network, method or optimizer ({reason}); set "
                "TRAIN.CHECKPOINT_KEEP_EPOCH False to take its weights only"
            ) from None
        self.run.load_state_dict(state)
        if self.run.phase == "evaluate":
            self.run.iteration = self.length
        for hook in self.hooks:
            hook.load_state_dict(state)
        states = state.get("rng")
        if states:
            set_rng_state(states[distributed.rank() % len(states)])


def _as_numbers(measures: dict[str, Measure]) -> dict[str, Measure]:
    """Return measures whose values are on no device."""
    return {name: measure._replace(value=float(measure.value)) for name, measure in measures.items()}
