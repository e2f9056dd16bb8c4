"""Evaluation without BatchNorm: its scale and shift become part of the convolutions beside it."""

import copy

import torch
from torch import Tensor, nn

from slowfast.models.slowfast_r101 import ConvNorm, FrozenBatchNorm3d, Pathway, SlowFast
from slowfast.models.uniformer import ConvBlock


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """Return a copy of a network for evaluation, with BatchNorm folded into convolutions.

    The copy gives the same features and logits up to rounding and is not meant for training: branches that only keep
    statistics are gone. Networks without BatchNorm between convolutions are copied as they are.

    Args:
        model: any network of this library.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, ConvNorm):
            module.conv, module.bn = _fold_after(module.conv, module.bn), nn.Identity()
        elif isinstance(module, Pathway):
            module.conv1, module.bn1 = _fold_after(module.conv1, module.bn1), nn.Identity()
        elif isinstance(module, ConvBlock):
            module.conv1, module.norm1 = _fold_before(module.norm1, module.conv1), nn.Identity()
            module.mlp.fc1, module.norm2 = _fold_before(module.norm2, module.mlp.fc1), nn.Identity()
    if isinstance(folded, SlowFast):
        folded.fast.res_nl4 = None
    return folded


def _scale_and_shift(norm: nn.BatchNorm3d | FrozenBatchNorm3d) -> tuple[Tensor, Tensor]:
    """Return the affine map (C,), (C,) that BatchNorm is in evaluation, in float64."""
    scale_C = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    return scale_C, norm.bias.double() - norm.running_mean.double() * scale_C


def _fold_after(conv: nn.Conv3d, norm: nn.Module) -> nn.Conv3d:
    """Return the convolution followed by its norm as one convolution."""
    scale_O, shift_O = _scale_and_shift(norm)
    bias_O = shift_O if conv.bias is None else shift_O + conv.bias.double() * scale_O
    return _replace(conv, conv.weight.double() * scale_O.view(-1, 1, 1, 1, 1), bias_O)


def _fold_before(norm: nn.Module, conv: nn.Conv3d) -> nn.Conv3d:
    """Return a norm and the 1x1x1 convolution that follows as one convolution."""
    scale_I, shift_I = _scale_and_shift(norm)
    weight_OI = conv.weight.double().flatten(1)
    bias_O = weight_OI @ shift_I + conv.bias.double()
    return _replace(conv, (weight_OI * scale_I).view(conv.weight.shape), bias_O)


def _replace(conv: nn.Conv3d, weight: Tensor, bias: Tensor) -> nn.Conv3d:
    """Return the convolution with other weights and a bias."""
    dtype = conv.weight.dtype
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return conv
