"""Compilation of a network block by block: blocks of one shape share a compilation, the rest runs as it is."""

import logging
import sys

import torch
from torch import Tensor, nn

from slowfast.models.layers import DropPath
from slowfast.models.network import Network
from slowfast.models.replay import replay

logger = logging.getLogger(__name__)

_SHAPES = 64  # compilations of one function; the library's own limit is 8


def compiled(model: Network, how: bool | str, *, training: bool) -> nn.Module:
    """Return a network compiled as TRAIN.COMPILE or TEST.COMPILE says.

    Args:
        model: a network on its device, after `accelerate`; all but `True` change it in place.
        how: False, True (the whole network), `blocks`, or `replay` (blocks, their launches recorded on a GPU).
        training: its training passes are replayed, else those of evaluation.
    """
    if how in ("blocks", "replay"):
        compile_blocks(model)
        return replay(model, training=training) if how == "replay" else model
    return torch.compile(model) if how else model


def compile_blocks(model: Network) -> Network:
    """Compile the repeated blocks of a network, in place, and return it; the first pass of each shape takes seconds.

    Args:
        model: a network on its device, after `accelerate`.
    """
    limits = torch._dynamo.config
    limit = "recompile_limit" if hasattr(limits, "recompile_limit") else "cache_size_limit"  # its name before torch 2.6
    setattr(limits, limit, max(_SHAPES, getattr(limits, limit)))
    blocks = model.blocks_to_checkpoint([sys.maxsize] * 4)
    if not blocks:
        logger.warning("%s has no blocks that could be compiled one by one: it runs as it is", type(model).__name__)
    for block in blocks:
        device = next(block.parameters()).device
        for module in block.modules():
            if type(module) is DropPath:
                module.keep = torch.tensor(1.0 - module.drop_prob, device=device)
                module.__class__ = TensorDropPath
        block.compile(dynamic=False)
    return model


class TensorDropPath(DropPath):
    """Stochastic depth whose rate is a tensor, so that blocks of different rates share a compilation."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some samples (axis 0) set to zero."""
        if not self.training:
            return x
        kept = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), device=x.device) < self.keep
        return x * (kept / self.keep.clamp_min(torch.finfo(torch.float32).tiny)).to(x.dtype)
