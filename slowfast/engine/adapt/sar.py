"""Entropy minimisation that leaves out uncertain clips, looks for flat minima, and starts over when it collapses.

Niu et al., Towards Stable Test-Time Adaptation in Dynamic Wild World, ICLR 2023 (SAR), algorithm 1; all norms learn.

Legend: B clips, P clips of them that are trusted.
"""

import math

import torch
from torch import Tensor, nn

from slowfast.engine.adapt.base import ADAPTATIONS, Pool
from slowfast.engine.adapt.tent import Tent, close_norms, entropy_of, open_norms
from slowfast.utils.logging import get_logger

logger = get_logger(__name__)

_KEPT = 0.9  # of the moving mean of the entropy


@ADAPTATIONS.register("sar")
class SAR(Tent):
    """Sharpness-aware, reliable entropy minimisation over the scales and shifts of norms."""

    def adapt(self, model: nn.Module, pool: Pool) -> nn.Module:
        """Return the network after one step for every batch that has a certain clip."""
        settings = self.cfg.ADAPT
        margin = settings.MARGIN * math.log(self.cfg.MODEL.NUM_CLASSES)
        parameters = open_norms(model)
        first = [parameter.detach().clone() for parameter in parameters]
        optimizer = torch.optim.SGD(parameters, lr=settings.LR, momentum=settings.MOMENTUM)
        mean, steps, resets = None, 0, 0
        for clips in pool:
            loss = _sharp_gradient(model, parameters, clips, margin, settings.RADIUS)
            if loss is None:
                continue
            optimizer.step()
            steps += 1
            mean = loss if mean is None else _KEPT * mean + (1 - _KEPT) * loss
            if mean < settings.RESET:
                _restore(parameters, first)
                optimizer.state.clear()
                mean, resets = None, resets + 1
        if not steps:
            logger.warning("sar: no clip of %s is certain enough, nothing is adapted; raise ADAPT.MARGIN", pool.name)
        logger.info("sar: %d steps of %d batches, %d resets", steps, len(pool), resets)
        return close_norms(model, pool)


def _sharp_gradient(
    model: nn.Module, parameters: list[nn.Parameter], clips_BCTHW: Tensor, margin: float, radius: float
) -> float | None:
    """Leave in the parameters the gradient at the worst place nearby; return the loss there, None without one."""
    certain = entropy_of(model, clips_BCTHW)
    certain_B = certain.detach() < margin
    if not certain_B.any():
        return None
    gradients = _gradients(certain[certain_B].mean(), parameters)
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm() + 1e-12
    place = [parameter.detach().clone() for parameter in parameters]
    _restore(parameters, [here + radius / norm * step for here, step in zip(place, gradients)])
    entropy_P = entropy_of(model, clips_BCTHW)[certain_B]
    entropy_P = entropy_P[entropy_P.detach() < margin]
    loss = entropy_P.mean() if len(entropy_P) else None
    gradients = _gradients(loss, parameters) if loss is not None else []
    _restore(parameters, place)
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    return None if loss is None else loss.item()


def _gradients(loss: Tensor, parameters: list[nn.Parameter]) -> tuple[Tensor, ...]:
    """Return the gradient of every parameter, zero for those of branches that testing does not use."""
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


@torch.no_grad()
def _restore(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    """Give the parameters other values."""
    for parameter, value in zip(parameters, values):
        parameter.copy_(value)
