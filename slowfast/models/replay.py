"""The launches of a network recorded on a GPU and replayed, where Python is slower than the card (CUDA graphs)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.models.swap import wrap_forward

_WARM = 3


class _Recorded:
    """What was recorded of one network; a copy of the network begins without it.

    Attributes:
        shape: of the clips, or None.
        run: replays: clips in, logits out.
        busy: a forward pass was replayed whose backward pass did not come yet, or recording goes on.
    """

    def __init__(self) -> None:
        self.shape: torch.Size | None = None
        self.run: Callable[[Tensor], Tensor] | None = None
        self.busy = False

    def __deepcopy__(self, memo: dict) -> "_Recorded":
        return _Recorded()

    def free(self, gradient: Tensor) -> None:
        """Note that the backward pass has begun."""
        self.busy = False


def replay(model: nn.Module, *, training: bool) -> nn.Module:
    """Let a network replay its launches, in place, and return it.

    They are recorded in the first pass on a GPU. Clips of another size, a second forward pass before the backward pass,
    and other modes run as before. In evaluation fewer clips than were recorded are filled up.

    Args:
        model: a network on its device, compiled or not; with computing again of activations it cannot be recorded.
        training: its training passes, else those of evaluation.
    """
    model._recorded = _Recorded()
    wrap_forward(model, _train if training else _evaluate)
    return model


def _train(model: Any, forward: Callable[[Tensor], Tensor], clips_BCTHW: Tensor) -> Tensor:
    """Return the logits of a training pass."""
    recorded = model._recorded
    if not (_can_record(clips_BCTHW) and model.training and torch.is_grad_enabled()) or recorded.busy:
        return forward(clips_BCTHW)
    if recorded.shape is None:
        _record_training(model, clips_BCTHW)
    if clips_BCTHW.shape != recorded.shape:
        return forward(clips_BCTHW)
    recorded.busy = True
    logits_BK = recorded.run(clips_BCTHW).clone()
    logits_BK.register_hook(recorded.free)
    return logits_BK


def _record_training(model: Any, clips_BCTHW: Tensor) -> None:
    """Record forward and backward pass; statistics and random numbers stay what they were."""
    recorded = model._recorded
    buffers, generator = [buffer.clone() for buffer in model.buffers()], torch.cuda.get_rng_state(clips_BCTHW.device)
    recorded.busy = True
    try:
        with _autocast():
            torch.cuda.make_graphed_callables(model, (clips_BCTHW.clone(),), allow_unused_input=True)
    finally:
        recorded.busy = False
    recorded.run, recorded.shape = model.__dict__.pop("forward"), clips_BCTHW.shape
    for buffer, value in zip(model.buffers(), buffers):
        buffer.copy_(value)
    torch.cuda.set_rng_state(generator, clips_BCTHW.device)


def _evaluate(model: Any, forward: Callable[[Tensor], Tensor], clips_BCTHW: Tensor) -> Tensor:
    """Return the logits of an evaluation pass."""
    recorded = model._recorded
    if not _can_record(clips_BCTHW) or model.training or torch.is_grad_enabled():
        return forward(clips_BCTHW)
    if recorded.shape is None or (clips_BCTHW.shape[1:] == recorded.shape[1:] and len(clips_BCTHW) > recorded.shape[0]):
        recorded.run, recorded.shape = _record_evaluation(forward, clips_BCTHW), clips_BCTHW.shape
    return recorded.run(clips_BCTHW) if clips_BCTHW.shape[1:] == recorded.shape[1:] else forward(clips_BCTHW)


def _record_evaluation(forward: Callable[[Tensor], Tensor], clips_BCTHW: Tensor) -> Callable[[Tensor], Tensor]:
    """Record a forward pass."""
    held_BCTHW, graph, stream = clips_BCTHW.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with _autocast():
        with torch.cuda.stream(stream):
            for _ in range(_WARM):
                forward(held_BCTHW)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            logits_BK = forward(held_BCTHW)

    def run(clips_BCTHW: Tensor) -> Tensor:
        held_BCTHW[: len(clips_BCTHW)].copy_(clips_BCTHW)
        graph.replay()
        return logits_BK[: len(clips_BCTHW)].clone()

    return run


def _can_record(clips_BCTHW: Tensor) -> bool:
    """Tell whether launches on the device of these clips can be recorded."""
    return clips_BCTHW.is_cuda


def _autocast() -> torch.autocast:
    """Return the present autocast without its cache, whose tensors would not outlive it."""
    enabled = torch.is_autocast_enabled("cuda")
    return torch.autocast("cuda", torch.get_autocast_dtype("cuda"), enabled=enabled, cache_enabled=False)
