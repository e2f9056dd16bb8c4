"""Less memory in training: the activations inside blocks are computed again in the backward pass."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from slowfast.models.swap import wrap_forward


def save_memory(blocks: Sequence[nn.Module]) -> None:
    """Let blocks of a network compute their activations again in the backward pass, in place; results do not change."""
    for block in blocks:
        wrap_forward(block, _checkpointed)


def _checkpointed(block: nn.Module, forward: Callable[..., Any], *args: Any) -> Any:
    """Return a block's result; the second computation leaves the statistics of its BatchNorm layers alone."""
    if not torch.is_grad_enabled():
        return forward(*args)
    if torch.compiler.is_compiling():  # the compiler updates statistics in the forward pass alone
        return checkpoint(forward, *args, use_reentrant=False)
    contexts = (contextlib.nullcontext(), statistics_untouched(block))
    return checkpoint(forward, *args, use_reentrant=False, context_fn=lambda: contexts)


@contextlib.contextmanager
def statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a module as they are while it runs."""
    layers = [layer for layer in module.modules() if isinstance(layer, _NormBase)]
    norms = [layer for layer in layers if layer.training and layer.track_running_stats]
    before = [(layer.momentum, layer.num_batches_tracked.clone()) for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(norms, before):
            layer.momentum = momentum
            layer.num_batches_tracked.copy_(count)
