"""Learning rate as a pure function of the fractional epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LRSchedule:
    """Cosine or piecewise constant schedule with a linear warm-up.

    Attributes:
        base_lr: learning rate per step at the top.
        end_lr: learning rate at the end of the cosine.
        max_epoch: epochs of the run.
        warmup_epochs: length of the warm-up.
        warmup_start_lr: learning rate at epoch 0 when there is a warm-up.
        warmup_steps: iterations of a warm-up whose last one has the top rate already (at least 2); 0: the one after it.
        cosine_after_warmup: the cosine spans [warmup_epochs, max_epoch] instead of [0, max_epoch].
        policy: `cosine` or `steps_with_relative_lrs`.
        steps: first epochs of the constant pieces.
        relative_lrs: factors on base_lr of these pieces.
        cycles: warm restarts, warm-up included: the schedule of max_epoch / cycles epochs is run this often
            (SGDR, Loshchilov and Hutter 2017, section 3).
    """

    base_lr: float
    max_epoch: float
    end_lr: float = 0.0
    warmup_epochs: float = 0.0
    warmup_start_lr: float = 0.0
    warmup_steps: int = 0
    cosine_after_warmup: bool = False
    policy: str = "cosine"
    steps: Sequence[float] = ()
    relative_lrs: Sequence[float] = ()
    cycles: int = 1

    def at(self, epoch: float) -> float:
        """Return the learning rate at `epoch` (fractional, from 0)."""
        if self.cycles > 1:
            epoch %= self._cycle
        if epoch >= self.warmup_epochs:
            return self._main(epoch)
        top = self._main(self.warmup_epochs)
        stretch = self.warmup_steps / (self.warmup_steps - 1) if self.warmup_steps > 1 else 1.0
        return self.warmup_start_lr + stretch * epoch * (top - self.warmup_start_lr) / self.warmup_epochs

    @property
    def _cycle(self) -> float:
        """Epochs from one restart to the next."""
        return self.max_epoch / self.cycles

    def _main(self, epoch: float) -> float:
        """Return the schedule without warm-up."""
        if self.policy == "steps_with_relative_lrs":
            piece = max(index for index, first in enumerate(self.steps) if first <= max(epoch, self.steps[0]))
            return self.base_lr * self.relative_lrs[piece]
        offset = self.warmup_epochs if self.cosine_after_warmup else 0.0
        length = self._cycle - offset
        if length <= 0:
            return self.base_lr
        phase = math.cos(math.pi * (epoch - offset) / length)
        return self.end_lr + (self.base_lr - self.end_lr) * (phase + 1.0) * 0.5
