"""One optimizer update: any loss over any batches, in parts, clipped, refused when it is not finite."""

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from slowfast.utils import distributed
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

Batch = dict[str, Any]


class Measure(NamedTuple):
    """A value that a method measures in an iteration.

    Args:
        value: mean over `weight` samples; a tensor on a device, which is read when somebody wants to see it.
        weight: its weight in the mean over processes and over the epoch; 0: this process's value of this iteration.
        every_iteration: also reported between the ends of the epochs.
    """

    value: float | torch.Tensor
    weight: float = 1.0
    every_iteration: bool = True


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch with its tensors on a device."""
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }


@dataclass(kw_only=True)
class Update:
    """Forward, loss, backward, clip, step.

    Attributes:
        networks: those that are trained (possibly wrapped).
        optimizer: over their parameters.
        device: where batches are.
        clip_norm: largest L2 norm of the gradient; 0 does not clip.
        autocast_dtype: torch.float16, torch.bfloat16 or None for full precision.
        on_nan: `stop` or `skip` when a loss or its gradient is not finite.
        accumulate: parts that a batch is computed in, one after the other; their gradients add up.
        late: no value is read from the device: measures are tensors, and `check` looks at losses and gradient norms. So
            it is on GPUs, but not when a bad step is to be skipped, which has to be known before it is done.
    """

    networks: list[nn.Module]
    optimizer: torch.optim.Optimizer
    device: torch.device
    clip_norm: float = 20.0
    autocast_dtype: torch.dtype | None = None
    on_nan: str = "stop"
    accumulate: int = 1
    scaler: torch.amp.GradScaler = field(init=False)
    late: bool = field(init=False)
    _unchecked: list[tuple[str, torch.Tensor, list[str]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        enabled = self.autocast_dtype is torch.float16 and self.device.type == "cuda"
        if enabled and getattr(self.optimizer, "needs_closure", False):
            raise InputError(
                "an optimizer that computes the gradient twice cannot scale it: set TRAIN.MIXED_PRECISION bf16 or off"
            )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=enabled)
        self.late = self.device.type == "cuda" and self.on_nan == "stop"

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return the context of forward passes in the run's precision."""
        enabled = self.autocast_dtype is not None
        return torch.autocast(self.device.type, dtype=self.autocast_dtype or torch.bfloat16, enabled=enabled)

    def __call__(self, loss: Callable[..., Any], *batches: Batch) -> dict[str, Measure]:
        """Update once.

        Args:
            loss: takes a part of every batch, and returns a scalar (a mean over the clips of the first batch) or
                (scalar, {name: value}) with further values to report, means over these clips.
            batches: on the device; entries with one value per clip are cut into parts together.

        Returns:
            The measures `loss`, `grad_norm` and those that `loss` returned.

        Raises:
            InputError: the loss or its gradient is not finite and `on_nan` is `stop`; when `late`, `check` says so.
        """
        parts = _cut(batches, self.accumulate)
        # A batch that is skipped must not leave its traces in the BatchNorm statistics either.
        before = [buffer.clone() for buffer in self._buffers()] if self.on_nan == "skip" else []
        measured, is_sound = self._gradient(loss, parts)
        weight = sum(map(_size, parts)) if is_sound else 0.0
        norm = self._clip() if is_sound else math.nan
        if is_sound and not self.scaler.is_enabled():
            is_sound = not self._is_refused("gradient norm", norm, batches)
        if is_sound:
            self._step(loss, parts)
        else:
            self._forget(before)
        measures = {name: Measure(value, weight) for name, value in measured.items()}
        return {"loss": measures.pop("loss"), "grad_norm": Measure(norm, 0.0), **measures}

    def check(self) -> None:
        """Look at the losses and norms that are not looked at yet; nothing may be saved before.

        Raises:
            InputError: one of them is not finite.
        """
        values = [(what, float(value), names) for what, value, names in self._unchecked]
        self._unchecked.clear()
        if distributed.any_(not all(math.isfinite(value) for _, value, _ in values)):
            for what, value, names in values:
                self._refuse(what, value, names)

    def _gradient(self, loss: Callable[..., Any], parts: list[tuple[Batch, ...]]) -> tuple[dict[str, Any], bool]:
        """Compute the gradient; return the means over all parts, and False when a loss is refused."""
        self.optimizer.zero_grad(set_to_none=True)
        total, means = sum(map(_size, parts)), {}
        for number, part in enumerate(parts, start=1):
            with self._sync(number == len(parts)):
                with self.autocast():
                    value = loss(*part)
                value, measured = value if isinstance(value, tuple) else (value, {})
                if measured.keys() & {"loss", "grad_norm"}:
                    raise InputError("TRAIN.METHOD: a loss reports 'loss' and 'grad_norm' by itself; rename yours")
                share = _size(part) / total if total else 1.0
                for name, item in {"loss": value.detach(), **measured}.items():
                    means[name] = means.get(name, 0.0) + share * self._number(item)
                if self._is_refused("loss", self._number(value), part):
                    return means, False
                self.scaler.scale(value * share).backward()
        return means, True

    def _sync(self, is_last: bool) -> contextlib.AbstractContextManager:
        """Return the context of one part; processes exchange their gradients in the last one."""
        stack = contextlib.ExitStack()
        for network in self.networks:
            if not is_last and isinstance(network, nn.parallel.DistributedDataParallel):
                stack.enter_context(network.no_sync())
        return stack

    def _number(self, value: Any) -> Any:
        """Return a value as a double-precision number, which stays on its device when it is read later."""
        if self.late and isinstance(value, torch.Tensor):
            return value.detach().double()
        return float(value.detach() if isinstance(value, torch.Tensor) else value)

    def _clip(self) -> Any:
        """Clip the gradient and return its norm before that."""
        self.scaler.unscale_(self.optimizer)
        parameters = [parameter for network in self.networks for parameter in network.parameters()]
        return self._number(nn.utils.clip_grad_norm_(parameters, self.clip_norm or float("inf")))

    def _step(self, loss: Callable[..., Any], parts: list[tuple[Batch, ...]]) -> None:
        """Change the weights; an optimizer that asks for it gets a function that computes the gradient again."""

        def again() -> Any:
            with torch.enable_grad():
                measured, is_sound = self._gradient(loss, parts)
            if is_sound:
                self._clip()
            else:
                self.optimizer.zero_grad(set_to_none=True)
            return measured["loss"]

        if getattr(self.optimizer, "needs_closure", False):
            self.optimizer.step(again)
        else:
            self.scaler.step(self.optimizer)
        self.scaler.update()

    def _buffers(self) -> list[torch.Tensor]:
        """Return the buffers of all networks."""
        return [buffer for network in self.networks for buffer in network.buffers()]

    def _forget(self, before: list[torch.Tensor]) -> None:
        """Drop the gradient, and put the buffers back."""
        self.optimizer.zero_grad(set_to_none=True)
        for buffer, value in zip(self._buffers(), before):
            buffer.copy_(value)

    def _is_refused(self, what: str, value: Any, batches: tuple[Batch, ...]) -> bool:
        """Stop, or log and tell to skip, when a value is not finite in any process; or leave that to `check`."""
        names = [name for batch in batches for name in batch.get("names", ())]
        if self.late:
            self._unchecked.append((what, value, names))
            return False
        return self._refuse(what, value, names)

    def _refuse(self, what: str, value: float, names: list[str]) -> bool:
        """Stop, or log and tell to skip, when a value is not finite in any process."""
        if not distributed.any_(not math.isfinite(value)):
            return False
        bad = [part for part in distributed.gather((value, names)) if not math.isfinite(part[0])]
        value, clips = bad[0][0], ", ".join(dict.fromkeys(name for part in bad for name in part[1]))
        if self.on_nan == "stop":
            raise InputError(
                f"the {what} is {value} on the clips {clips}: lower SOLVER.BASE_LR, check these clips, or set "
                "TRAIN.ON_NAN skip"
            )
        logger.warning("skipped a step: the %s is %s on the clips %s", what, value, clips)
        return True


def _size(part: tuple[Batch, ...]) -> int:
    """Return the number of clips of the first batch."""
    return _length(part[0])


def _length(batch: Batch) -> int:
    """Return the number of clips of a batch."""
    return len(batch["names"]) if "names" in batch else len(next(iter(batch.values())))


def _cut(batches: tuple[Batch, ...], count: int) -> list[tuple[Batch, ...]]:
    """Return at most `count` parts of all batches; entries with one value per clip are cut, others are in all parts."""
    count = max(1, min(count, *map(_length, batches)))
    if count == 1:
        return [batches]
    parts = []
    for number in range(count):
        part = []
        for batch in batches:
            length = _length(batch)
            cut = slice(length * number // count, length * (number + 1) // count)
            part.append({name: value[cut] if _is_per_clip(value, length) else value for name, value in batch.items()})
        parts.append(tuple(part))
    return parts


def _is_per_clip(value: Any, length: int) -> bool:
    """Return whether an entry of a batch has one value per clip."""
    is_row = isinstance(value, list) or (isinstance(value, torch.Tensor) and value.ndim > 0)
    return is_row and len(value) == length
