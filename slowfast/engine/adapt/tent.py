"""Scales and shifts of the norms learn to make the network certain of a pool's clips.

Wang et al., Tent: Fully Test-time Adaptation by Entropy Minimization, ICLR 2021. The pool is gone through once, and the
network that results is tested, so that the answer for a clip does not depend on the order of the test. Gradients are
float32 whatever TEST.MIXED_PRECISION is.

Legend: B clips, K classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from slowfast.engine.adapt.base import ADAPTATIONS, Adaptation, Pool
from slowfast.engine.adapt.batchnorm import take_statistics

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)


@ADAPTATIONS.register("tent")
class Tent(Adaptation):
    """Entropy minimisation over the scales and shifts of LayerNorm, GroupNorm and BatchNorm."""

    needs = "a LayerNorm, GroupNorm or BatchNorm with scale and shift"

    def can_adapt(self, model: nn.Module) -> bool:
        """Return whether there is a norm that can learn."""
        return bool(norms_of(model))

    def adapt(self, model: nn.Module, pool: Pool) -> nn.Module:
        """Return the network after one step for every batch."""
        settings = self.cfg.ADAPT
        optimizer = torch.optim.SGD(open_norms(model), lr=settings.LR, momentum=settings.MOMENTUM)
        for clips in pool:
            optimizer.zero_grad()
            entropy_of(model, clips).mean().backward()
            optimizer.step()
        return close_norms(model, pool)


def norms_of(model: nn.Module, kinds: type | tuple[type, ...] = _NORMS) -> list[nn.Module]:
    """Return the norms of a network that have a scale or shift to learn."""
    return [module for module in model.modules() if isinstance(module, kinds) and list(module.parameters(False))]


def open_norms(model: nn.Module) -> list[nn.Parameter]:
    """Let only scales and shifts of norms learn, BatchNorm with the statistics of each batch; return them."""
    model.requires_grad_(False)
    for module in norms_of(model, _BatchNorm):
        module.train()
    parameters = [parameter for module in norms_of(model) for parameter in module.parameters(False)]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters


def close_norms(model: nn.Module, pool: Pool) -> nn.Module:
    """Return the network for testing again, BatchNorm with the statistics of the whole pool."""
    model.eval().requires_grad_(False)
    take_statistics(model, pool)
    return model


def entropy_of(model: nn.Module, clips_BCTHW: Tensor) -> Tensor:
    """Return the entropy of the predictions (B,) in nats, in float32."""
    with torch.autocast(clips_BCTHW.device.type, enabled=False):
        log_probs_BK = model(clips_BCTHW.float()).float().log_softmax(-1)
    return -(log_probs_BK.exp() * log_probs_BK).sum(-1)
