"""Fast forms of a device for a finished network: its modules are replaced in place, parameters and names stay.

The plain network is the one that was not passed through here; both give the same values.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.models.forms.convolution import ChannelsLastConv3d, PerFrameConv3d, TapsConv3d
from slowfast.models.forms.depthwise import FramewiseDepthwise, SameDepthwise
from slowfast.models.forms.mlp import BlockedMlp
from slowfast.models.layers import Mlp
from slowfast.models.network import Network
from slowfast.models.swap import wrap_forward

logger = logging.getLogger(__name__)

# A form looks at a module and returns the class that is to run it, or None.
Form = Callable[[nn.Module], type[nn.Module] | None]
_VECTOR = 8  # output channels from which the library's 3D convolution is efficient


def accelerate(model: Network, *, device: torch.device, training: bool) -> Network:
    """Give a network the fast forms of a device, in place, and return it.

    Args:
        model: a finished network, before it is compiled or wrapped for several processes.
        device: where it will run.
        training: it will be trained; without that, forms that only serve the backward pass are left out.
    """
    forms = forms_for(device, training=training)
    for module in model.modules():
        found = next(filter(None, (form(module) for form in forms)), None)
        if found is not None:
            module.__class__ = found
    for name, module in model.named_modules():
        head = isinstance(module, nn.Linear) and f"{name}.".startswith(model.head_names)
        if head or name in model.exact_modules:
            wrap_forward(module, _in_float32)
    return model


def forms_for(device: torch.device, *, training: bool) -> Sequence[Form]:
    """Return the forms of a device; the first one that has a class for a module is taken."""
    if device.type == "cuda":
        return (_gpu_depthwise, _gpu_convolution)
    return (_cpu_depthwise(training), _convolution, _mlp) if device.type == "cpu" else ()


def _is_depthwise(module: nn.Module) -> bool:
    """Tell whether a module is the library's convolution with one filter per channel."""
    return _is_library_convolution(module) and 1 < module.groups == module.in_channels == module.out_channels


def _is_library_convolution(module: nn.Module) -> bool:
    """Tell whether a module is a 3D convolution as the library has it, padded with a number of zeros."""
    return type(module) is nn.Conv3d and module.padding_mode == "zeros" and not isinstance(module.padding, str)


def _cpu_depthwise(training: bool) -> Form:
    """Return the form of depthwise convolutions on the CPU."""

    def form(module: nn.Module) -> type[nn.Module] | None:
        if not _is_depthwise(module):
            return None
        if module.kernel_size[0] == 1 and module.padding[0] == 0:
            return FramewiseDepthwise
        same = module.stride == module.dilation == (1, 1, 1) and all(
            2 * p + 1 == k for p, k in zip(module.padding, module.kernel_size)
        )
        return SameDepthwise if same and training else None

    return form


def _gpu_depthwise(module: nn.Module) -> type[nn.Module] | None:
    """Return the class of depthwise convolutions on a GPU."""
    from slowfast.models.kernels.operator import DepthwiseConv3d  # loads Triton, which nothing else needs

    fits = _is_depthwise(module) and DepthwiseConv3d.fits(module)
    return DepthwiseConv3d if fits and not _without_kernels() else None


@functools.cache
def _without_kernels() -> bool:
    """Tell whether the kernels cannot be used on this machine's GPU, and say so once."""
    from slowfast.models.kernels.depthwise import problem

    reason = problem() if torch.cuda.is_available() else ""
    if reason:
        logger.warning(
            "depthwise convolutions run in the library's form, several times slower: %s; install the Triton of this "
            "torch (pip install -U triton) and a C compiler",
            reason,
        )
    return bool(reason)


def _gpu_convolution(module: nn.Module) -> type[nn.Module] | None:
    """Return the class of other convolutions on a GPU: over frames the library's, but for stems of few channels."""
    form = _convolution(module)
    if form is None or module.kernel_size[0] == 1:
        return form
    keeps = module.stride[0] == module.dilation[0] == 1 and 2 * module.padding[0] + 1 == module.kernel_size[0]
    few = max(module.in_channels, module.out_channels) <= _VECTOR and module.kernel_size[1:] != (1, 1)
    return TapsConv3d if keeps and few else ChannelsLastConv3d


def _convolution(module: nn.Module) -> type[nn.Module] | None:
    """Return the class of other convolutions, by their kernel."""
    if not _is_library_convolution(module) or module.groups > 1:
        return None
    (frames, *space), stride, (pad, *pad_space) = module.kernel_size, module.stride, module.padding
    pointwise = space == [1, 1]
    keeps = stride[0] == 1 and module.dilation[0] == 1 and 2 * pad + 1 == frames
    if keeps and not (pointwise and any(pad_space)):
        if frames == 1:
            return PerFrameConv3d
        if pointwise or module.out_channels < _VECTOR:
            return TapsConv3d
    # Patches side by side are read once each, so another order of the input would only be a copy.
    return None if stride == module.kernel_size else ChannelsLastConv3d


def _mlp(module: nn.Module) -> type[nn.Module] | None:
    """Return the class of MLPs."""
    return BlockedMlp if type(module) is Mlp else None


def _in_float32(layer: nn.Module, forward: Callable[..., Any], x: Tensor) -> Tensor:
    """Return a layer's result without autocast, in the dtype of its weights."""
    kind = x.device.type
    if kind not in ("cpu", "cuda") or not torch.is_autocast_enabled(kind):
        return forward(x)
    dtype = next((parameter.dtype for parameter in layer.parameters()), x.dtype)
    with torch.autocast(kind, enabled=False):
        return forward(x.to(dtype))
