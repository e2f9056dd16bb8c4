"""Parameter groups by weight decay (and layer), and the optimizers by name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from slowfast.utils.errors import InputError
from slowfast.utils.registry import Registry

# A function (groups, *, lr, options) -> Optimizer; options: configuration key -> value. One that computes the gradient
# again within its step has the attribute `needs_closure = True` and gets `step(closure)`.
OPTIMIZERS: Registry[Callable[..., torch.optim.Optimizer]] = Registry("SOLVER.OPTIMIZING_METHOD")


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
    groups: Iterable[dict], *, method: str, lr: float, options: Mapping[str, Any] | None = None
) -> torch.optim.Optimizer:
    """Return the optimizer of that name over the groups.

    Args:
        groups: see `parameter_groups`; each `params` is one parameter or several.
        method: a name of `OPTIMIZERS`.
        lr: learning rate; `set_lr` sets that of every step.
        options: configuration key, such as `SOLVER.MOMENTUM`, -> value; what is absent has its usual value.

    Raises:
        InputError: there is none, or what is registered makes none.
    """
    groups = [{**group, "params": _listed(group["params"])} for group in groups]
    optimizer = OPTIMIZERS[method](groups, lr=lr, options=options or {})
    if not isinstance(optimizer, torch.optim.Optimizer):
        kind = type(optimizer).__name__
        raise InputError(f"{OPTIMIZERS.key} {method} made a {kind}; return a torch.optim.Optimizer")
    if optimizer.defaults.get("fused") and _kinds(groups) == {"cuda"}:
        optimizer.register_load_state_dict_pre_hook(go_on_fused)
    return optimizer


@OPTIMIZERS.register("sgd")
def sgd(groups: list[dict], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return SGD with momentum, Nesterov's where it can be."""
    momentum, dampening = options.get("SOLVER.MOMENTUM", 0.9), options.get("SOLVER.DAMPENING", 0.0)
    nesterov = options.get("SOLVER.NESTEROV", True) and momentum > 0 and dampening == 0
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov,
                           fused=_kinds(groups) == {"cuda"} or None)  # fmt: skip


@OPTIMIZERS.register("adam")
def adam(groups: list[dict], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return Adam."""
    return torch.optim.Adam(groups, lr=lr, eps=1e-8, fused=_fused(groups))


@OPTIMIZERS.register("adamw")
def adamw(groups: list[dict], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return Adam with decoupled weight decay."""
    return torch.optim.AdamW(groups, lr=lr, eps=1e-8, fused=_fused(groups))


def _fused(groups: list[dict]) -> bool | None:
    """Return whether all parameters are updated in one call.

    On the CPU this is in a small network several times faster than one by one, and on GPUs the only form that knows
    without asking the device whether a float16 gradient overflowed; elsewhere the library chooses. A resumed optimizer
    goes on in the form that its state names, but on GPUs.
    """
    return _kinds(groups) in ({"cpu"}, {"cuda"}) or None


def _kinds(groups: list[dict]) -> set[str]:
    """Return the kinds of devices that parameters are on."""
    return {parameter.device.type for group in groups for parameter in group["params"]}


def go_on_fused(_: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state as that of one that updates in one call."""
    return {**state, "param_groups": [{**group, "fused": True} for group in state["param_groups"]]}


@OPTIMIZERS.register("lion")
def lion(groups: list[dict], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return Lion with the betas of SOLVER.LION_BETAS."""
    return Lion(groups, lr=lr, betas=tuple(options.get("SOLVER.LION_BETAS", (0.9, 0.99))))


class Lion(torch.optim.Optimizer):
    """Sign of an interpolated momentum, decoupled weight decay (Chen et al., NeurIPS 2023, algorithm 2).

    Args:
        groups: parameters or groups of them.
        lr: learning rate, a third to a tenth of AdamW's.
        betas: of the update and of the momentum.
    """

    def __init__(self, groups: Iterable, *, lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self) -> None:
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            first, second = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(parameter))
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(momentum.lerp(parameter.grad, 1.0 - first).sign_(), alpha=-group["lr"])
                momentum.lerp_(parameter.grad, 1.0 - second)


def _listed(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return one parameter or several as a list."""
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups, times their `lr_scale`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
