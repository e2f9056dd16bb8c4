"""Training steps: the maths of one iteration. Legend: B batch, C channels, T frames, H W, K classes."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from slowfast.losses import KLLoss
from slowfast.solver import set_lr
from slowfast.transforms.mixup import Mixup
from slowfast.utils import distributed
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

Batch = dict[str, Any]


@dataclass(kw_only=True)
class Update:
    """One optimizer update of a network on one batch: forward, loss, backward, clip, step.

    Attributes:
        model: the network (possibly wrapped).
        optimizer: its optimizer.
        device: where batches go.
        clip_norm: largest L2 norm of the gradient; 0 does not clip.
        autocast_dtype: torch.float16, torch.bfloat16 or None for full precision.
        on_nan: `stop` or `skip` when a loss or its gradient is not finite.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    clip_norm: float = 20.0
    autocast_dtype: torch.dtype | None = None
    on_nan: str = "stop"
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        enabled = self.autocast_dtype is torch.float16 and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=enabled)

    def clips_of(self, batch: Batch) -> torch.Tensor:
        """Return the network input (B, 3, T, H, W) of a batch on the device."""
        return batch["clips"].to(self.device, non_blocking=True)

    def __call__(self, clips: torch.Tensor, loss_of: Callable[[torch.Tensor], torch.Tensor], names: list[str]) -> dict:
        """Update once and return `loss`, `grad_norm` and the detached `logits` (B, K).

        Args:
            clips: float (B, 3, T, H, W).
            loss_of: maps logits (B, K) to a scalar loss.
            names: videos of the batch, for the message about a loss that is not finite.

        Raises:
            InputError: the loss or its gradient is not finite and `on_nan` is `stop`.
        """
        enabled = self.autocast_dtype is not None
        # A batch that is skipped must not leave its traces in the BatchNorm statistics either.
        before = [buffer.clone() for buffer in self.model.buffers()] if self.on_nan == "skip" else []
        with torch.autocast(self.device.type, dtype=self.autocast_dtype or torch.bfloat16, enabled=enabled):
            logits_BK = self.model(clips)
            loss = loss_of(logits_BK.float())
        self.optimizer.zero_grad(set_to_none=True)
        result = {"loss": float(loss.detach()), "grad_norm": float("nan"), "logits": logits_BK.detach().float()}
        if self._is_refused("loss", result["loss"], names):
            self._forget(before)
            return result
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        result["grad_norm"] = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm or float("inf")))
        if not self.scaler.is_enabled() and self._is_refused("gradient norm", result["grad_norm"], names):
            self._forget(before)
            return result
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return result

    def _forget(self, before: list[torch.Tensor]) -> None:
        """Drop the gradient, and put the buffers back."""
        self.optimizer.zero_grad(set_to_none=True)
        for buffer, value in zip(self.model.buffers(), before):
            buffer.copy_(value)

    def _is_refused(self, what: str, value: float, names: list[str]) -> bool:
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


@dataclass(kw_only=True)
class Supervised:
    """Loss of one batch against its labels, with mixup when given.

    Attributes:
        update: the optimizer update.
        loss: maps logits (B, K) and targets to a scalar; targets are (B, K) with mixup, else labels (B,).
        mixup: mixing of a batch, or None.
        soft_loss: replaces `loss` by a loss against the stored probabilities of the batch.
    """

    update: Update
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    mixup: Mixup | None = None
    soft_loss: KLLoss | None = None

    def __call__(self, batch: Batch, rng: np.random.RandomState) -> dict[str, Any]:
        """Update on one batch and return loss, gradient norm and the numbers of top-1 and top-5 errors."""
        clips = self.update.clips_of(batch)
        labels_B = batch["labels"].to(self.update.device)
        target = labels_B
        if self.mixup is not None:
            clips, target = self.mixup(clips, labels_B, rng=rng)
        if self.soft_loss is not None:
            probs_BK = batch["probs"].to(self.update.device)
            result = self.update(clips, lambda logits_BK: self.soft_loss(logits_BK, probs_BK), batch["names"])
        else:
            result = self.update(clips, lambda logits_BK: self.loss(logits_BK, target), batch["names"])
        errors = topk_errors(result.pop("logits"), target)
        return {**result, "top1_err": errors[0], "top5_err": errors[1], "count": len(labels_B)}


def topk_errors(logits_BK: torch.Tensor, target: torch.Tensor) -> tuple[int, int]:
    """Return the numbers of top-1 and top-5 errors of a batch.

    With mixed targets (B, K) the logit of the second class of a row is added to that of the first, so that
    either answer counts (as upstream reports its training error).
    """
    if target.ndim == 2:
        top2 = target.topk(2, dim=1).indices
        logits_BK = logits_BK.clone()
        rows = torch.arange(len(logits_BK), device=logits_BK.device)
        logits_BK[rows, top2[:, 0]] += logits_BK[rows, top2[:, 1]]
        logits_BK[rows, top2[:, 1]] = 0.0
        target = top2[:, 0]
    best = logits_BK.topk(min(5, logits_BK.shape[1]), dim=1).indices
    hits = best == target[:, None]
    return int((~hits[:, :1].any(1)).sum()), int((~hits.any(1)).sum())


class SourceStep:
    """Supervised training: one update on a labelled batch per iteration."""

    def __init__(self, *, source: Supervised) -> None:
        self.source = source
        self.update = source.update

    def run(self, batches: list[Batch], lr: float, rngs: list[np.random.RandomState]) -> dict[str, Any]:
        """Run one iteration on the batches of all loaders (here one)."""
        set_lr(self.update.optimizer, lr)
        return self.source(batches[0], rngs[0])


class PseudoLabelStep:
    """Source update, then target update on pseudo-labels with the weights already updated.

    Each has its own backward pass, clipping and optimizer step (upstream's order of one iteration).
    """

    def __init__(self, *, source: Supervised, target: Supervised) -> None:
        self.source, self.target = source, target
        self.update = source.update

    def run(self, batches: list[Batch], lr: float, rngs: list[np.random.RandomState]) -> dict[str, Any]:
        """Run one iteration on a labelled and a pseudo-labelled batch."""
        set_lr(self.update.optimizer, lr)
        result = self.source(batches[0], rngs[0])
        target = self.target(batches[1], rngs[1])
        return {**result, **{f"target_{key}": value for key, value in target.items()}}
