"""Building blocks shared by the networks.

Legend: B batch, C channels, T frames, H W height and width, N tokens, D width, L heads, E width of one head.

Activations of shape (B, C, T, H, W) are kept in `torch.channels_last_3d` memory order: the channels of one
position lie side by side, so that (B, T, H, W, C) is a view, 1x1x1 convolutions are matrix products and
LayerNorm needs no copy.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_PLAIN = False
_CHECKPOINTED = False
_BLOCK_PRODUCTS = 400_000  # query-key products of one block, about 1 MB
_SMALLEST_BLOCK = 64  # queries
_MLP_BLOCK = 2048  # rows
_VECTOR = 8  # output channels from which the library's 3D convolution is efficient


@contextlib.contextmanager
def plain_operations() -> Iterator[None]:
    """Run the networks in their plainest form: explicit softmax attention, contiguous layout, library backward."""
    global _PLAIN
    before, _PLAIN = _PLAIN, True
    try:
        yield
    finally:
        _PLAIN = before


def is_plain() -> bool:
    """Tell whether the networks run in their plainest form."""
    return _PLAIN


def to_channels_last(x_BCTHW: Tensor) -> Tensor:
    """Return the clips with the channels of one position side by side in memory."""
    return x_BCTHW.contiguous() if _PLAIN else x_BCTHW.contiguous(memory_format=torch.channels_last_3d)


def in_full_precision(layer: nn.Module, x: Tensor) -> Tensor:
    """Return the layer's result without autocast, in the dtype of its weights.

    Meant for layers that cost little and that everything passes, patch embeddings and heads: what float16 or bfloat16
    rounds away there is lost to all that follows.
    """
    kind = x.device.type
    if kind not in ("cpu", "cuda") or not torch.is_autocast_enabled(kind):
        return layer(x)
    dtype = next((parameter.dtype for parameter in layer.parameters()), x.dtype)
    with torch.autocast(kind, enabled=False):
        return layer(x.to(dtype))


def attention(q_BLNE: Tensor, k_BLNE: Tensor, v_BLNE: Tensor, *, scale: float, dropout: float = 0.0) -> Tensor:
    """Return softmax(q k^T scale) v with heads side by side (Vaswani et al. 2017, section 3.2.1).

    Args:
        q_BLNE: queries (B, L, N, E).
        k_BLNE: keys (B, L, M, E).
        v_BLNE: values (B, L, M, E).
        scale: factor on the products.
        dropout: probability of dropping an attention weight; pass 0 outside training.

    Returns:
        (B, N, L * E).
    """
    if _PLAIN:
        weights_BLNM = F.dropout((q_BLNE @ k_BLNE.transpose(-2, -1) * scale).softmax(dim=-1), dropout)
        y_BLNE = weights_BLNM @ v_BLNE
    elif _prefers_blocks(q_BLNE):
        return _attention_in_blocks(q_BLNE * scale, k_BLNE, v_BLNE)
    else:
        y_BLNE = F.scaled_dot_product_attention(q_BLNE, k_BLNE, v_BLNE, dropout_p=dropout, scale=scale)
    return y_BLNE.transpose(1, 2).flatten(2)


def _prefers_blocks(q_BLNE: Tensor) -> bool:
    """Tell whether attention by blocks is the faster form: bfloat16 on the CPU, without gradient."""
    on_cpu = q_BLNE.device.type == "cpu" and q_BLNE.dtype == torch.bfloat16
    return on_cpu and not (torch.is_grad_enabled() and q_BLNE.requires_grad) and not torch.compiler.is_compiling()


def _attention_in_blocks(q_BLNE: Tensor, k_BLME: Tensor, v_BLME: Tensor) -> Tensor:
    """Return softmax(q k^T) v (B, N, L * E), by blocks of queries whose products stay in the cache."""
    batch, heads, tokens, width = q_BLNE.shape
    rows = max(_SMALLEST_BLOCK, _BLOCK_PRODUCTS // k_BLME.shape[2])
    y_BNLE = q_BLNE.new_empty(batch, tokens, heads, width)
    for sample in range(batch):
        for head in range(heads):
            k_EM, v_ME = k_BLME[sample, head].t(), v_BLME[sample, head]
            for first in range(0, tokens, rows):
                weights_RM = (q_BLNE[sample, head, first : first + rows] @ k_EM).softmax(-1)
                y_BNLE[sample, first : first + rows, head] = weights_RM @ v_ME
    return y_BNLE.flatten(2)


def computed_again(y: Tensor, compute: Callable[[], Tensor]) -> contextlib.AbstractContextManager:
    """Return a context in which autograd does not save y; the backward pass computes it again, once per use.

    Meant for a result that is cheap beside the operation that reads it: activation checkpointing would repeat that
    operation too. Nothing changes where nothing is recorded, in the plain form, inside a checkpoint and in a compiler.

    Args:
        y: what is not to be saved, also after an operation in place.
        compute: returns the values that y has when it is read, in the same dtype and memory order. What it reads must
            stay as it is until the backward pass; autograd does not check that.
    """
    if _PLAIN or _CHECKPOINTED or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return contextlib.nullcontext()
    storage = y.untyped_storage().data_ptr()

    def pack(saved: Tensor) -> Tensor | tuple:
        if saved.untyped_storage().data_ptr() != storage:
            return saved
        return saved.shape, saved.stride(), saved.storage_offset()

    def unpack(kept: Tensor | tuple) -> Tensor:
        return kept if isinstance(kept, Tensor) else compute().as_strided(*kept)

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training drop a sample's residual and scale up the others.

    Args:
        drop_prob: probability of dropping.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some samples (axis 0) set to zero."""
        if not self.training or self.drop_prob == 0.0:
            return x
        keep = 1.0 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep) if keep > 0 else x * mask


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """Return the drop-path rate of every block, linear from 0 to `rate`."""
    return torch.linspace(0, rate, depth, device="cpu").tolist()


class Conv3d(nn.Conv3d):
    """Convolution computed by the fastest equal form for its kernel; arguments as `torch.nn.Conv3d`.

    1x1x1 kernels are a matrix product, 1xKxK kernels a 2D convolution of all frames, and kernels over several
    frames the same for all their frames at once (as further output channels) followed by a sum of shifted frames.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, out_channels, T', H', W')."""
        over_time = self.kernel_size[0] > 1
        if _PLAIN or self.groups > 1 or (over_time and not self._suits_taps()):
            return super().forward(x_BCTHW)
        if not over_time:
            return self._per_frame(x_BCTHW, self._weight_per_frame(), self.bias).permute(0, 4, 1, 2, 3)
        y_BTHWKC = self._taps(x_BCTHW).unflatten(4, (self.kernel_size[0], self.out_channels))
        y_BTHWC = sum_shifted_frames(y_BTHWKC)
        y_BTHWC = y_BTHWC if self.bias is None else y_BTHWC + self.bias
        return y_BTHWC.permute(0, 4, 1, 2, 3)

    def _weight_per_frame(self) -> Tensor:
        """Return the kernels of all frames as output channels side by side (K * O, I, H, W)."""
        return self.weight.permute(2, 0, 1, 3, 4).flatten(0, 1)

    def _taps(self, x_BCTHW: Tensor) -> Tensor:
        """Return what every frame gives to the outputs of its neighbours (B, T, H', W', K * C)."""
        weight_OIHW = self._weight_per_frame()
        with computed_again(weight_OIHW, self._weight_per_frame):
            return self._per_frame(x_BCTHW, weight_OIHW, None)

    def _suits_taps(self) -> bool:
        """Tell whether a kernel over several frames keeps their number and is faster frame by frame.

        A KxK kernel is so only for few output channels, of which the library's vector instructions waste most.
        """
        keeps = self.stride[0] == 1 and self.dilation[0] == 1 and 2 * self.padding[0] + 1 == self.kernel_size[0]
        return keeps and (self.kernel_size[1:] == (1, 1) or self.out_channels < _VECTOR)

    def _per_frame(self, x_BCTHW: Tensor, weight_OIHW: Tensor, bias: Tensor | None) -> Tensor:
        """Return a 2D convolution of every frame (B, T, H', W', C)."""
        if self.kernel_size[1:] == (1, 1):
            x_BTHWC = x_BCTHW.permute(0, 2, 3, 4, 1)
            if self.stride[1:] != (1, 1):
                x_BTHWC = x_BTHWC[:, :, :: self.stride[1], :: self.stride[2]].contiguous()
            return F.linear(x_BTHWC, weight_OIHW.flatten(1), bias)
        x_MCHW = x_BCTHW.transpose(1, 2).flatten(0, 1)
        y_MCHW = F.conv2d(x_MCHW, weight_OIHW, bias, self.stride[1:], self.padding[1:], self.dilation[1:])
        return y_MCHW.permute(0, 2, 3, 1).unflatten(0, (x_BCTHW.shape[0], -1))


class PointwiseConv3d(Conv3d):
    """1x1x1 convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1)


def sum_shifted_frames(y_BTHWKC: Tensor) -> Tensor:
    """Return z[t] = sum over k of y[t + k - K // 2, k], frames outside the clip counting as zero.

    Args:
        y_BTHWKC: contribution of every frame to the outputs of its K neighbours.

    Returns:
        (B, T, H, W, C).
    """
    if torch.is_grad_enabled() and y_BTHWKC.requires_grad and not torch.compiler.is_compiling():
        return _SumShifted.apply(y_BTHWKC)
    return _sum_shifted(y_BTHWKC)


def frame_shifts(frames: int, taps: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield (tap, output frames, input frames) for every tap that meets the clip."""
    for tap in range(taps):
        shift = tap - taps // 2
        first, last = max(0, -shift), min(frames, frames - shift)
        if first < last:
            yield tap, slice(first, last), slice(first + shift, last + shift)


def _sum_shifted(y_BTHWKC: Tensor) -> Tensor:
    """Return the sum of `sum_shifted_frames`."""
    taps = y_BTHWKC.shape[4]
    z_BTHWC = y_BTHWKC[:, :, :, :, taps // 2].clone(memory_format=torch.contiguous_format)
    for tap, out, source in frame_shifts(y_BTHWKC.shape[1], taps):
        if tap != taps // 2:
            z_BTHWC[:, out] += y_BTHWKC[:, source, :, :, tap]
    return z_BTHWC


class _SumShifted(torch.autograd.Function):
    """`sum_shifted_frames` with a backward pass that writes every gradient once."""

    @staticmethod
    def forward(ctx, y_BTHWKC: Tensor) -> Tensor:
        """Return the sum."""
        ctx.shape = y_BTHWKC.shape
        return _sum_shifted(y_BTHWKC)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g_BTHWC: Tensor) -> Tensor:
        """Return the gradient of the contributions."""
        frames, taps = ctx.shape[1], ctx.shape[4]
        grad_BTHWKC = g_BTHWC.new_empty(ctx.shape)
        for tap in range(taps):
            shift = tap - taps // 2
            grad_BTHWKC[:, : max(shift, 0), :, :, tap] = 0
            grad_BTHWKC[:, max(frames + shift, 0) :, :, :, tap] = 0
        for tap, out, source in frame_shifts(frames, taps):
            grad_BTHWKC[:, source, :, :, tap] = g_BTHWC[:, out]
        return grad_BTHWKC


class Mlp(nn.Module):
    """Two projections with a GELU between them.

    Args:
        width: input width.
        hidden: width between the projections.
        width_out: output width; None keeps the input width.
        dropout: probability of dropping after each projection.
        layer: `nn.Linear` on (..., D) or `PointwiseConv3d` on (B, C, T, H, W).
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        width_out: int | None = None,
        dropout: float = 0.0,
        layer: type[nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self._channel_axis = 1 if layer is PointwiseConv3d else -1
        self.fc1 = layer(width, hidden)
        self.act = nn.GELU()
        self.fc2 = layer(hidden, width_out or width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape with the output width."""
        if self._prefers_blocks(x):
            return self._in_blocks(x)
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))

    def _prefers_blocks(self, x: Tensor) -> bool:
        """Tell whether the hidden activations are too large for the cache and needed by no backward pass."""
        large = x.device.type == "cpu" and x.numel() > 4 * _MLP_BLOCK * x.shape[self._channel_axis]
        needed = self.training or (torch.is_grad_enabled() and (x.requires_grad or self.fc1.weight.requires_grad))
        return large and not needed and not _PLAIN and not torch.compiler.is_compiling()

    def _in_blocks(self, x: Tensor) -> Tensor:
        """Return the result computed by blocks of rows whose hidden activations stay in the cache."""
        rows_NC = x.movedim(self._channel_axis, -1)
        fc1, fc2 = self.fc1.weight.flatten(1), self.fc2.weight.flatten(1)
        blocks = rows_NC.flatten(0, -2).split(_MLP_BLOCK)
        y_NC = torch.cat([F.linear(F.gelu(F.linear(r, fc1, self.fc1.bias)), fc2, self.fc2.bias) for r in blocks])
        return y_NC.view(*rows_NC.shape[:-1], -1).movedim(-1, self._channel_axis)


def init_transformer_weights(module: nn.Module) -> None:
    """Initialise one module: Linear weights from a normal cut at two, std 0.02, their biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def batch_norms(module: nn.Module) -> list[nn.Module]:
    """Return the BatchNorm layers inside a module."""
    return [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._NormBase)]


@contextlib.contextmanager
def statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a module as they are while it runs."""
    norms = [layer for layer in batch_norms(module) if layer.training and layer.track_running_stats]
    before = [(layer.momentum, layer.num_batches_tracked.clone()) for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(norms, before):
            layer.momentum = momentum
            layer.num_batches_tracked.copy_(count)


@contextlib.contextmanager
def _inside_checkpoint() -> Iterator[None]:
    """Leave all saving to the checkpoint around the block: what `computed_again` reads would stay in memory."""
    global _CHECKPOINTED
    before, _CHECKPOINTED = _CHECKPOINTED, True
    try:
        yield
    finally:
        _CHECKPOINTED = before


@contextlib.contextmanager
def _second_computation(block: nn.Module) -> Iterator[None]:
    """Run a checkpointed block once more."""
    with _inside_checkpoint(), statistics_untouched(block):
        yield


def run_block(block: nn.Module, *args, checkpointed: bool):
    """Call a block; with activation checkpointing its activations are computed again in the backward pass.

    The second computation leaves the statistics of BatchNorm layers alone, so results do not depend on the switch.
    """
    if not checkpointed or not torch.is_grad_enabled():
        return block(*args)
    if torch.compiler.is_compiling():  # the compiler updates statistics in the forward pass alone
        return checkpoint(block, *args, use_reentrant=False)
    contexts = (_inside_checkpoint(), _second_computation(block))
    return checkpoint(block, *args, use_reentrant=False, context_fn=lambda: contexts)
