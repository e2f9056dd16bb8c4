"""3D convolutions in equal, faster forms; each is `torch.nn.Conv3d` with another forward pass.

Legend: B batch, C channels, T frames, H W height and width, K frames of a kernel, M all frames of a batch.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def to_channels_last(x_BCTHW: Tensor) -> Tensor:
    """Return the clips with the channels of one position side by side in memory."""
    return x_BCTHW.contiguous(memory_format=torch.channels_last_3d)


class ChannelsLastConv3d(nn.Conv3d):
    """The library's convolution of channels-last clips."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, out_channels, T', H', W')."""
        return super().forward(to_channels_last(x_BCTHW))


class PerFrameConv3d(nn.Conv3d):
    """Kernels of one frame: a matrix product where they are 1x1, else a 2D convolution of all frames."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, out_channels, T, H', W')."""
        return self._per_frame(x_BCTHW, self.weight.squeeze(2), self.bias).permute(0, 4, 1, 2, 3)

    def _per_frame(self, x_BCTHW: Tensor, weight_OIHW: Tensor, bias: Tensor | None) -> Tensor:
        """Return a 2D convolution of every frame (B, T, H', W', C)."""
        x_BCTHW = to_channels_last(x_BCTHW)
        if self.kernel_size[1:] == (1, 1):
            x_BTHWC = x_BCTHW.permute(0, 2, 3, 4, 1)
            if self.stride[1:] != (1, 1):
                x_BTHWC = x_BTHWC[:, :, :: self.stride[1], :: self.stride[2]].contiguous()
            return F.linear(x_BTHWC, weight_OIHW.flatten(1), bias)
        x_MCHW = x_BCTHW.transpose(1, 2).flatten(0, 1)
        y_MCHW = F.conv2d(x_MCHW, weight_OIHW, bias, self.stride[1:], self.padding[1:], self.dilation[1:])
        return y_MCHW.permute(0, 2, 3, 1).unflatten(0, (x_BCTHW.shape[0], -1))


class TapsConv3d(PerFrameConv3d):
    """Kernels over several frames, whose number they keep, all their frames at once as further output channels.

    A sum of shifted frames follows. This suits kernels that are 1x1 in space, and wider ones of few output channels, of
    which the library's vector instructions waste most.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, out_channels, T, H', W')."""
        weight_OIHW = self.weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
        y_BTHWC = self._per_frame(x_BCTHW, weight_OIHW, None)
        y_BTHWC = sum_shifted_frames(y_BTHWC.unflatten(4, (self.kernel_size[0], self.out_channels)))
        y_BTHWC = y_BTHWC if self.bias is None else y_BTHWC + self.bias
        return y_BTHWC.permute(0, 4, 1, 2, 3)


def sum_shifted_frames(y_BTHWKC: Tensor) -> Tensor:
    """Return z[t] = sum over k of y[t + k - K // 2, k], frames outside the clip counting as zero.

    Args:
        y_BTHWKC: contribution of every frame to the outputs of its K neighbours.

    Returns:
        (B, T, H, W, C).
    """
    return _sum_shifted(y_BTHWKC) if torch.compiler.is_compiling() else _SumShifted.apply(y_BTHWKC)


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
