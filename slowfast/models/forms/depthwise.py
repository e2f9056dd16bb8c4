"""Depthwise 3D convolutions for the CPU.

Legend: B batch, C channels, T frames, H W height and width, M all frames, or all channels, of a batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.models.forms.convolution import frame_shifts, to_channels_last

_WIDEST_FAST_KERNEL = 3
_SMALL = 2**19  # values of the input


class FramewiseDepthwise(nn.Conv3d):
    """One filter of one frame per channel, as a 2D convolution of all frames."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, C, T', H', W')."""
        x_BTCHW = to_channels_last(x_BCTHW)[:, :, :: self.stride[0]].transpose(1, 2)
        weight_CIHW = self.weight.squeeze(2)
        y_MCHW = F.conv2d(
            x_BTCHW.flatten(0, 1), weight_CIHW, self.bias, self.stride[1:], self.padding[1:], groups=self.groups
        )
        return y_MCHW.unflatten(0, x_BTCHW.shape[:2]).transpose(1, 2)


class SameDepthwise(nn.Conv3d):
    """One filter per channel that keeps the size, with a backward pass several times faster than the library's."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, C, T, H, W)."""
        x_BCTHW = to_channels_last(x_BCTHW)
        if not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(x_BCTHW)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x_BCTHW.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return _SameDepthwise.apply(x_BCTHW.to(dtype), self.weight.to(dtype), bias)


class _SameDepthwise(torch.autograd.Function):
    """Depthwise convolution, stride 1, odd kernel, zero padding that keeps the size."""

    @staticmethod
    def forward(ctx, x_BCTHW: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the library's forward pass."""
        ctx.save_for_backward(x_BCTHW, weight)
        return F.conv3d(x_BCTHW, weight, bias, padding=_same_padding(weight), groups=x_BCTHW.shape[1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g_BCTHW: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the gradients: the input's is a forward pass with the mirrored kernel."""
        x_BCTHW, weight = ctx.saved_tensors
        g_BCTHW = to_channels_last(g_BCTHW)
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(2, 3, 4)
            grad_x = F.conv3d(g_BCTHW, mirrored, padding=_same_padding(weight), groups=x_BCTHW.shape[1])
        if ctx.needs_input_grad[1]:
            grad_weight = depthwise_weight_gradient(x_BCTHW, g_BCTHW, tuple(weight.shape[2:]))
        if ctx.needs_input_grad[2]:
            grad_bias = g_BCTHW.sum((0, 2, 3, 4))
        return grad_x, grad_weight, grad_bias


def _same_padding(weight: Tensor) -> list[int]:
    """Return the padding that keeps the size for an odd kernel."""
    return [size // 2 for size in weight.shape[2:]]


def depthwise_weight_gradient(x_BCTHW: Tensor, g_BCTHW: Tensor, kernel: tuple[int, int, int]) -> Tensor:
    """Return the gradient of the weights of a size-keeping depthwise convolution.

    For small float32 tensors a depthwise convolution itself, with every channel of every clip apart, the output's
    gradient as its kernels and the input padded as far as the weights reach; that is many times faster there than the
    library's gradient. Otherwise frame shift by frame shift as 2D depthwise gradients, whose CPU kernels are fast up to
    width 3; wider kernels are cut into pieces of that width on horizontally padded copies.

    Args:
        x_BCTHW: input, channels last.
        g_BCTHW: gradient of the output, channels last, same shape.
        kernel: odd (T, H, W) size.

    Returns:
        (C, 1, *kernel).
    """
    grad = x_BCTHW.new_zeros(x_BCTHW.shape[1], 1, *kernel)
    reach = [min(size // 2, length - 1) for size, length in zip(kernel, x_BCTHW.shape[2:])]
    met = grad[(..., *(slice(size // 2 - r, size // 2 + r + 1) for size, r in zip(kernel, reach)))]
    if x_BCTHW.dtype == torch.float32 and 0 < x_BCTHW.numel() <= _SMALL:
        met.copy_(_gradient_as_convolution(x_BCTHW, g_BCTHW, reach))
    else:
        _gradient_by_frame_shifts(x_BCTHW, g_BCTHW, met)
    return grad


def _gradient_as_convolution(x_BCTHW: Tensor, g_BCTHW: Tensor, reach: list[int]) -> Tensor:
    """Return the gradient (C, 1, *kernel) of the weights that lie at most `reach` (T, H, W) from the centre."""
    batch, channels, *size = x_BCTHW.shape
    x_1MTHW, kernels_M1THW = x_BCTHW.reshape(1, -1, *size), g_BCTHW.reshape(-1, 1, *size)
    y_1MTHW = F.conv3d(x_1MTHW, kernels_M1THW, padding=reach, groups=batch * channels)
    return y_1MTHW.view(batch, channels, 1, *y_1MTHW.shape[2:]).sum(0)


def _gradient_by_frame_shifts(x_BCTHW: Tensor, g_BCTHW: Tensor, grad: Tensor) -> None:
    """Fill the gradient (C, 1, *kernel), one shift in time after another."""
    pieces = _width_pieces(x_BCTHW, g_BCTHW, grad.shape[4])
    for tap, out, source in frame_shifts(x_BCTHW.shape[2], grad.shape[2]):
        for column, size, pad, x_BTCHW, g_BTCHW in pieces:
            x_MCHW, g_MCHW = x_BTCHW[:, source].flatten(0, 1), g_BTCHW[:, out].flatten(0, 1)
            weight = grad[:, :, tap, :, column : column + size]
            weight.copy_(_gradient_2d(x_MCHW, g_MCHW, weight, pad))


def _gradient_2d(x_MCHW: Tensor, g_MCHW: Tensor, weight: Tensor, pad: int) -> Tensor:
    """Return the gradient of a 2D depthwise convolution that keeps the height, in the shape of its weight."""
    return torch.ops.aten.convolution_backward(
        g_MCHW, x_MCHW, weight, [0], [1, 1], [weight.shape[2] // 2, pad], [1, 1], False, [0, 0],
        weight.shape[0], [False, True, False],
    )[1]  # fmt: skip


def _width_pieces(x_BCTHW: Tensor, g_BCTHW: Tensor, width: int) -> list[tuple[int, int, int, Tensor, Tensor]]:
    """Return (first kernel column, columns, horizontal padding, x, g) of pieces of at most three columns.

    With x padded by width // 2 on both sides, output column w and kernel column j meet x column w + j. A piece
    that starts at kernel column c therefore pairs x with g moved right by c inside a frame of zeros.
    """
    x_BTCHW, g_BTCHW = x_BCTHW.transpose(1, 2), g_BCTHW.transpose(1, 2)
    if width <= _WIDEST_FAST_KERNEL:
        return [(0, width, width // 2, x_BTCHW, g_BTCHW)]
    padded_BTCHW = _pad_columns(x_BTCHW, width // 2, width // 2)
    pieces = []
    for column in range(0, width, _WIDEST_FAST_KERNEL):
        size = min(_WIDEST_FAST_KERNEL, width - column)
        moved_BTCHW = _pad_columns(g_BTCHW, column, width - size - column)
        pieces.append((column, size, 0, padded_BTCHW, moved_BTCHW))
    return pieces


def _pad_columns(x_BTCHW: Tensor, left: int, right: int) -> Tensor:
    """Return x with zero columns added, channels last within each frame."""
    batch, frames, channels, height, width = x_BTCHW.shape
    y_BTHWC = x_BTCHW.new_zeros(batch, frames, height, left + width + right, channels)
    y_BTHWC[:, :, :, left : left + width] = x_BTCHW.permute(0, 1, 3, 4, 2)
    return y_BTHWC.permute(0, 1, 4, 2, 3)
