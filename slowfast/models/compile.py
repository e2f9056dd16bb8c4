"""Compilation of a network block by block: blocks of one shape share a compilation, the rest runs as it is."""

import sys

import torch
from torch import Tensor, nn

from slowfast.models.layers import DropPath
from slowfast.models.network import Network

_SHAPES = 64  # compilations of one function; the library's own limit is 8


def compile_blocks(model: Network) -> Network:
    """Compile the repeated blocks of a network, in place, and return it; the first pass of each shape takes seconds.

    Args:
        model: a network on its device, after `accelerate`.
    """
    torch._dynamo.config.recompile_limit = max(_SHAPES, torch._dynamo.config.recompile_limit)
    blocks = model.blocks_to_checkpoint([sys.maxsize] * 4)
    for block in blocks:
        device = next(block.parameters()).device
        for module in block.modules():
            if type(module) is DropPath:
                module.keep = torch.tensor(1.0 - module.drop_prob, device=device)
                module.__class__ = TensorDropPath
        block.compile(dynamic=False)
    return model


def graphed(model: nn.Module, clips_BCTHW: Tensor, *, dtype: torch.dtype) -> nn.Module:
    """Record the launches of forward and backward pass of a network in training, in place, and return it.

    Its statistics stay what they were. It then takes clips of this one size only.

    Args:
        model: a network on a GPU in training, compiled or not.
        clips_BCTHW: clips as they will come.
        dtype: of autocast.
    """
    before = [buffer.clone() for buffer in model.buffers()]
    with torch.autocast("cuda", dtype, cache_enabled=False):
        model = torch.cuda.make_graphed_callables(model, (clips_BCTHW,), allow_unused_input=True)
    for buffer, value in zip(model.buffers(), before):
        buffer.copy_(value)
    return model


class TensorDropPath(DropPath):
    """Stochastic depth whose rate is a tensor, so that blocks of different rates share a compilation."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some samples (axis 0) set to zero."""
        if not self.training:
            return x
        kept = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), device=x.device) < self.keep
        return x * (kept / self.keep.clamp_min(torch.finfo(torch.float32).tiny)).to(x.dtype)
