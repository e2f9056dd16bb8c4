"""Evaluation without BatchNorm: its scale and shift become part of the convolutions beside it."""

import copy

import torch
from torch import Tensor, nn

from slowfast.models.network import Network


def fold_batchnorm(model: Network) -> Network:
    """Return a copy of a network for evaluation, with BatchNorm folded into convolutions.

    The copy gives the same features and logits up to rounding and is not meant for training: branches that only keep
    statistics are gone. Networks without BatchNorm between convolutions are copied as they are.

    Joined are neighbours in every `nn.Sequential`, and the pairs that a module declares, each in the order of
    computation: `folds = (("conv", "bn"), ...)`.

    Args:
        model: any network of this library.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for module in folded.modules():
        chain = type(module).forward is nn.Sequential.forward
        names = [name for name, _ in module.named_children()] if chain else []
        for first, second in [*getattr(module, "folds", ()), *zip(names, names[1:])]:
            _fold(module, first, second)
    folded.drop_idle_branches()
    return folded


def _fold(parent: nn.Module, first: str, second: str) -> None:
    """Join a convolution and a norm, where the two modules below a parent are those."""
    one, two = parent.get_submodule(first), parent.get_submodule(second)
    if isinstance(one, nn.Conv3d) and _is_norm(two):
        _fold_after(one, two)
        norm = second
    elif _is_norm(one) and isinstance(two, nn.Conv3d) and two.kernel_size == (1, 1, 1) and two.groups == 1:
        _fold_before(one, two)
        norm = first
    else:
        return
    owner, _, name = norm.rpartition(".")
    setattr(parent.get_submodule(owner), name, nn.Identity())


def _is_norm(module: nn.Module) -> bool:
    """Tell whether a module is a BatchNorm, frozen or not, with statistics and a scale."""
    return all(isinstance(getattr(module, name, None), Tensor) for name in ("running_mean", "running_var", "weight"))


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the affine map (C,), (C,) that BatchNorm is in evaluation, in float64."""
    scale_C = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    return scale_C, norm.bias.double() - norm.running_mean.double() * scale_C


def _fold_after(conv: nn.Conv3d, norm: nn.Module) -> None:
    """Take the norm that follows a convolution into it."""
    scale_O, shift_O = _scale_and_shift(norm)
    bias_O = shift_O if conv.bias is None else shift_O + conv.bias.double() * scale_O
    _replace(conv, conv.weight.double() * scale_O.view(-1, 1, 1, 1, 1), bias_O)


def _fold_before(norm: nn.Module, conv: nn.Conv3d) -> None:
    """Take a norm into the 1x1x1 convolution that follows it."""
    scale_I, shift_I = _scale_and_shift(norm)
    weight_OI = conv.weight.double().flatten(1)
    bias_O = weight_OI @ shift_I
    bias_O = bias_O if conv.bias is None else bias_O + conv.bias.double()
    _replace(conv, (weight_OI * scale_I).view(conv.weight.shape), bias_O)


def _replace(conv: nn.Conv3d, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution other weights and a bias."""
    dtype = conv.weight.dtype
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
