"""Parts of a network that stay as they are, by the beginnings of their names."""

import difflib
import types
from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from slowfast.models.network import Network, trained_names
from slowfast.utils.errors import InputError


def freeze(network: nn.Module, prefixes: Sequence[str]) -> None:
    """Let parts of a network get no gradient, and let their BatchNorm keep its statistics.

    Args:
        network: changed in place; its frozen BatchNorm layers stay in evaluation mode whatever it is told.
        prefixes: whole parts of dotted names: `blocks.1` is not `blocks.10`.

    Raises:
        InputError: a prefix fits nothing; names that are near are given.
    """
    parameters, modules = dict(network.named_parameters()), dict(network.named_modules())
    names = [name for name in (*modules, *parameters) if name]
    for prefix in prefixes:
        if not any(_is_part(name, prefix) for name in names):
            near = difflib.get_close_matches(prefix, names, n=3, cutoff=0.0)
            raise InputError(f"TRAIN.FREEZE has {prefix!r}, which no parameter begins with; near: {', '.join(near)}")
        for name, parameter in parameters.items():
            parameter.requires_grad_(parameter.requires_grad and not _is_part(name, prefix))
        for name, module in modules.items():
            if isinstance(module, _NormBase) and _is_part(name, prefix):
                # A bound method, so that the layers of a copy hold the copy's.
                module.eval().train = types.MethodType(_stay, module)


def freeze_trunk(network: Network) -> None:
    """Leave only what a probe trains (TRAIN.PROBE), in place; the rest is in evaluation mode whatever it is told.

    Nothing of the rest needs a gradient, so that no activation of it is kept either.
    """
    trained = trained_names(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(trained))
    for name, part in network.named_children():
        if not any(prefix.startswith(f"{name}.") for prefix in trained):
            part.eval()
            for module in part.modules():
                module.train = types.MethodType(_stay, module)


def release_modes(network: nn.Module) -> None:
    """Let all parts of a network follow `train` and `eval` again, in place."""
    for module in network.modules():
        module.__dict__.pop("train", None)


def _is_part(name: str, prefix: str) -> bool:
    """Return whether a dotted name is a prefix or below it."""
    return f"{name}.".startswith(f"{prefix.rstrip('.')}.")


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    """Keep a layer's mode."""
    return module
