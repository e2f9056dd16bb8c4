"""Low-rank adapters beside the linear layers of a frozen network, by `peft`.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
Checkpoints hold the network and its adapters under peft's names, so that a run resumes exactly. Whatever reads weights
(`merge_adapters`, in `load_weights`) adds the adapters to their layers: tests, exports and further rounds need neither
the LORA keys nor `peft`.
"""

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from slowfast.models.entries import some
from slowfast.models.forms.mlp import BlockedMlp
from slowfast.models.layers import Mlp
from slowfast.models.network import Network, trained_names
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

_A, _B, _SCALE = ".lora_A.default.weight", ".lora_B.default.weight", ".lora_scale"


def adapter_targets(network: Network, targets: Sequence[str], clip_1CTHW: Tensor) -> list[str]:
    """Return the names of the linear layers that get an adapter: all outside the head, or those that are named.

    A layer whose weights its network reads without calling it (`F.linear(x, layer.weight)`: torchvision's Swin, timm's
    EVA) would pass its adapter by; it gets none.

    Args:
        network: without adapters.
        targets: last parts of names, such as `query` or `attn.qkv`; empty: all.
        clip_1CTHW: any clip, to see which layers are called.

    Raises:
        InputError: a target names no linear layer that is called; names that are near are given.
    """
    trained = trained_names(network)
    layers = {
        name: module
        for name, module in network.named_modules()
        if type(module) is nn.Linear and not f"{name}.".startswith(trained)
    }
    called = _called(network, layers, clip_1CTHW)
    for target in targets:
        if not _ending(called, target):
            near = difflib.get_close_matches(target, {name.rsplit(".", 1)[-1] for name in called}, n=4, cutoff=0.0)
            why = "whose weights are read without calling it" if _ending(layers, target) else "which ends no name"
            raise InputError(f"LORA.TARGETS has {target!r}, {why} of a linear layer; near: {', '.join(near)}")
    found = [name for name in called if not targets or any(_ending([name], target) for target in targets)]
    if not found:
        raise InputError(f"LORA.RANK: {type(network).__name__} has no linear layer outside its head, set it to 0")
    passed_by = [name for name in layers if name not in called]
    if passed_by and not targets:
        logger.warning("%d linear layers get no adapter, they are not called: %s", len(passed_by), some(passed_by))
    return found


def _ending(names: Iterable[str], target: str) -> list[str]:
    """Return the names that end with whole parts of a name."""
    return [name for name in names if f".{name}".endswith(f".{target}")]


def _called(network: Network, layers: Mapping[str, nn.Module], clip_1CTHW: Tensor) -> list[str]:
    """Return the names of the layers that are called for a clip."""
    seen: set[str] = set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: seen.add(name)) for name, layer in layers.items()]
    was_training = network.training
    with torch.enable_grad():  # forms for evaluation read weights, too
        network.eval()(clip_1CTHW)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return [name for name in layers if name in seen]


def add_adapters(network: Network, names: Sequence[str], *, rank: int, alpha: float, dropout: float) -> None:
    """Freeze a network but for its head, and put adapters beside linear layers, in place.

    Args:
        network: with its starting weights.
        names: of the layers, see `adapter_targets`.
        rank: of the adapters.
        alpha: their product is multiplied by alpha / rank.
        dropout: before the adapters.

    Raises:
        InputError: `peft` is not installed, or not one that goes with the other packages.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        if error.name == "peft":
            raise InputError("LORA.RANK needs peft: pip install peft") from None
        raise InputError(f"LORA.RANK: peft does not go with {error.name}, upgrade both or take an older peft") from None
    trained = trained_names(network)
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(names))
    inject_adapter_in_model(config, network)
    for name, parameter in network.named_parameters():
        # A head is trained and saved as it is: peft would freeze it, or keep a second one beside it.
        parameter.requires_grad_(".lora_" in name or name.startswith(trained))
    for name in names:
        layer = network.get_submodule(name)
        layer.register_buffer("lora_scale", torch.tensor(float(layer.scaling["default"])))
    for module in network.modules():
        if isinstance(module, BlockedMlp) and not isinstance(module.fc1, nn.Linear):
            module.__class__ = Mlp  # that form reads the weights of its layers and would pass the adapters by


def merge_adapters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with its adapters added to their layers, under the plain names; others as they are."""
    if not any(name.endswith(_A) for name in state):
        return dict(state)
    merged = {}
    for name, tensor in state.items():
        stem, _, rest = name.partition(".base_layer.")
        if rest == "weight" and f"{stem}{_A}" in state:
            change = state[f"{stem}{_B}"].float() @ state[f"{stem}{_A}"].float()
            tensor = (tensor.float() + float(state[f"{stem}{_SCALE}"]) * change).to(tensor.dtype)
        if not name.endswith((_A, _B, _SCALE)):
            merged[f"{stem}.{rest}" if rest else name] = tensor
    return merged
