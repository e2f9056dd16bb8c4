"""The depthwise 3D convolution as an operator of torch, `nightcrawler::depthwise_conv3d`, and as a module.

The operator knows its gradients, autocast, and its shapes without data (torch.compile). Where the kernels do not
compute a convolution (see `is_supported`), the library does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.models.kernels import depthwise

_NAME = "nightcrawler::depthwise_conv3d"
_CL = torch.channels_last_3d


# Types are given as a schema: torch 2.4 does not read them from annotations as they are written here.
@torch.library.custom_op(
    _NAME,
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding) -> Tensor",
)
def depthwise_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int]) -> Tensor:
    """Return the convolution (B, C, T', H', W') of x (B, C, T, H, W), channels last.

    Args:
        x: input.
        weight: (C, 1, KT, KH, KW); its dtype may differ from the input's.
        bias: (C,), or None.
        stride: of T, H, W.
        padding: zeros on both sides of T, H, W.
    """
    stride, padding = tuple(stride), tuple(padding)
    if depthwise.is_supported(x, weight, stride, padding):
        return depthwise.convolve(x, weight, bias, stride, padding)
    bias = None if bias is None else bias.to(x.dtype)
    y = F.conv3d(x, weight.to(x.dtype), bias, stride, padding, groups=x.shape[1])
    return y.contiguous(memory_format=_CL)


@depthwise_conv3d.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int]) -> Tensor:
    size = depthwise.output_size(x.shape[2:], weight.shape[2:], stride, padding)
    return torch.empty((*x.shape[:2], *size), dtype=x.dtype, device=x.device, memory_format=_CL)


@torch.library.custom_op(
    _NAME + "_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor x, Tensor weight, SymInt[] stride, SymInt[] padding, bool[] wanted)"
    " -> (Tensor, Tensor, Tensor)",
)
def depthwise_conv3d_backward(
    g: Tensor, x: Tensor, weight: Tensor, stride: list[int], padding: list[int], wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of input, weight and bias; the ones that are not wanted are empty.

    Args:
        g: gradient of the output.
        x: input of the convolution.
        weight: its weight.
        stride: of T, H, W.
        padding: of T, H, W.
        wanted: for input, weight and bias.
    """
    stride, padding, size = tuple(stride), tuple(padding), tuple(x.shape[2:])
    grads = [g.new_empty(0), weight.new_empty(0), weight.new_empty(0)]
    if not depthwise.is_supported(x, weight, stride, padding):
        library = torch.ops.aten.convolution_backward(
            g, x, weight.to(x.dtype), [x.shape[1]], stride, padding, [1, 1, 1], False, [0, 0, 0], x.shape[1], wanted
        )
        grads = [grad if new is None else new.to(grad.dtype) for grad, new in zip(grads, library)]
        grads[0] = grads[0].contiguous(memory_format=_CL) if wanted[0] else grads[0]
        return tuple(grads)
    if wanted[0]:
        grads[0] = depthwise.input_gradient(g, weight, size, stride, padding)
    if wanted[1] or wanted[2]:
        sums = depthwise.weights_gradient(x, g, tuple(weight.shape[2:]), stride, padding, bias=wanted[2])
        grads[1] = sums[0].to(weight.dtype).contiguous() if wanted[1] else grads[1]
        grads[2] = sums[1].to(weight.dtype, copy=True) if wanted[2] else grads[2]
    return tuple(grads)


@depthwise_conv3d_backward.register_fake
def _(
    g: Tensor, x: Tensor, weight: Tensor, stride: list[int], padding: list[int], wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    grad_x = torch.empty_like(x, memory_format=_CL) if wanted[0] else g.new_empty(0)
    grad_w = torch.empty_like(weight, memory_format=torch.contiguous_format) if wanted[1] else weight.new_empty(0)
    return grad_x, grad_w, weight.new_empty(weight.shape[0] if wanted[2] else 0)


def _keep(ctx, inputs: tuple, output: Tensor) -> None:
    x, weight, _, ctx.stride, ctx.padding = inputs
    ctx.save_for_backward(x, weight)


def _differentiate(ctx, g: Tensor) -> tuple[Tensor | None, ...]:
    wanted = list(ctx.needs_input_grad[:3])
    grads = depthwise_conv3d_backward(g, *ctx.saved_tensors, ctx.stride, ctx.padding, wanted)
    return (*(grad if want else None for grad, want in zip(grads, wanted)), None, None)


depthwise_conv3d.register_autograd(_differentiate, setup_context=_keep)
_LIBRARY = torch.library.Library("nightcrawler", "FRAGMENT")


def _register_autocast(device: str, key: str) -> None:
    """Cast the input to the dtype of autocast; the sums are float32 and the weights stay as they are."""

    def cast(x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int]) -> Tensor:
        keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))
        with torch._C._ExcludeDispatchKeyGuard(keys):
            return depthwise_conv3d(x.to(torch.get_autocast_dtype(device)), weight, bias, stride, padding)

    _LIBRARY.impl("depthwise_conv3d", cast, key)


_register_autocast("cuda", "AutocastCUDA")
_register_autocast("cpu", "AutocastCPU")


def _is_exporting() -> bool:
    """Tell whether a program for elsewhere is made. torch 2.11 says so inside `torch.compile` too: asked first."""
    if torch.compiler.is_dynamo_compiling():
        return False
    return torch.jit.is_tracing() or getattr(torch.compiler, "is_exporting", bool)()


class DepthwiseConv3d(nn.Conv3d):
    """A depthwise `nn.Conv3d`, same arguments, parameters and names, computed by the kernels where they can."""

    @classmethod
    def of(cls, conv: nn.Conv3d) -> "DepthwiseConv3d":
        """Return a module that shares the parameters of a depthwise convolution."""
        new = cls(
            conv.in_channels, conv.out_channels, conv.kernel_size, stride=conv.stride, padding=conv.padding,
            groups=conv.groups, bias=conv.bias is not None, device="meta",
        )  # fmt: skip
        new.weight, new.bias = conv.weight, conv.bias
        return new.train(conv.training)

    @staticmethod
    def fits(conv: nn.Module) -> bool:
        """Return whether a module is a depthwise convolution that this class stands in for."""
        return (
            isinstance(conv, nn.Conv3d)
            and conv.groups == conv.in_channels == conv.out_channels
            and conv.dilation == (1, 1, 1)
            and conv.padding_mode == "zeros"
            and isinstance(conv.padding, tuple)
        )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, C, T', H', W')."""
        if _is_exporting() or not depthwise.is_supported(x_BCTHW, self.weight, self.stride, self.padding):
            return super().forward(x_BCTHW)
        return depthwise_conv3d(x_BCTHW, self.weight, self.bias, self.stride, self.padding)
