"""Parameter groups by weight decay (and layer), and the three optimizers."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float,
    bn_weight_decay: float = 0.0,
    zero_1d: bool = False,
    layer_of: Callable[[str], int] | None = None,
    num_layers: int = 0,
    layer_decay: float = 1.0,
) -> list[dict]:
    """Return optimizer groups in the order BatchNorm, decayed, 1-D without decay; empty ones are left out.

    Args:
        model: the network; parameters without gradient are left out.
        weight_decay: of everything that is neither BatchNorm nor (with `zero_1d`) 1-D.
        bn_weight_decay: of BatchNorm weights and biases.
        zero_1d: no decay for 1-D parameters (biases, LayerNorm weights).
        layer_of: layer index of a parameter name, 0 next to the input, `num_layers` at the head; None: no layers.
        num_layers: index of the last layer.
        layer_decay: each group's `lr_scale` is `layer_decay ** (num_layers - layer)`.

    Returns:
        Dicts with `params`, `weight_decay`, `lr_scale`.
    """
    norm_names = {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, _NormBase)
        for name, _ in module.named_parameters(recurse=False)
    }
    groups: dict[tuple[int, int], dict] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        kind = _kind(name, parameter, norm_names, zero_1d)
        layer = layer_of(name) if layer_of else num_layers
        scale = layer_decay ** (num_layers - layer)
        decay = (bn_weight_decay, weight_decay, 0.0)[kind]
        group = groups.setdefault((layer, kind), {"params": [], "weight_decay": decay, "lr_scale": scale})
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def _kind(name: str, parameter: torch.Tensor, norm_names: set[str], zero_1d: bool) -> int:
    """Return 0 for BatchNorm, 1 for decayed, 2 for 1-D without decay."""
    if name in norm_names:
        return 0
    return 2 if zero_1d and parameter.ndim == 1 else 1


def construct_optimizer(
    groups: Iterable[dict],
    *,
    method: str,
    lr: float,
    momentum: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = True,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """Return `sgd`, `adam` or `adamw` (eps 1e-8) over the groups; `set_lr` sets the rate of every step.

    On the CPU a fresh `adam` or `adamw` updates all parameters in one call, in a small network several times faster
    than one by one; elsewhere the library chooses. A resumed one goes on in the form that its state names.
    """
    groups = [{**group, "params": _listed(group["params"])} for group in groups]
    if method == "sgd":
        nesterov = nesterov and momentum > 0 and dampening == 0
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    fused = all(parameter.device.type == "cpu" for group in groups for parameter in group["params"]) or None
    return kinds[method](groups, lr=lr, betas=betas, eps=1e-8, fused=fused)


def _listed(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return one parameter or several as a list."""
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups, times their `lr_scale`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
