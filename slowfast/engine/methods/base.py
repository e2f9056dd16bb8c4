"""What every training method says: what it reads, what an iteration does, what it keeps, what is tested."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.checkpoint import unwrap
from slowfast.engine.update import Batch, Measure, Update
from slowfast.utils.errors import InputError
from slowfast.utils.registry import Registry

# Fields of the records in `metrics.jsonl` that are not measures.
RESERVED = ("_type", "epoch", "iter", "lr", "split")
_ROLES = {"light": "source", "dark": "target"}


@dataclass(frozen=True)
class Reads:
    """One batch of an iteration.

    Attributes:
        split: a name of DATA.SPLITS.
        light: `light` or `dark`: DATA.GAMMA.SOURCE or DATA.GAMMA.TARGET.
        labelled: every row needs a label.
        views: empty: `clips`, augmented as AUG says; else names that begin with `weak` (crop and mirror only) or
            `strong` (with RandAugment and erasing): each is an entry of the batch, cut from the same frames.
    """

    split: str
    light: str = "light"
    labelled: bool = True
    views: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """The role of the split in `slowfast.datasets`.

        Raises:
            InputError: `light` is neither.
        """
        if self.light not in _ROLES:
            raise InputError(f"TRAIN.METHOD reads {self.split!r} as {self.light!r}, 'light' or 'dark' is needed")
        return _ROLES[self.light]


class Method(nn.Module):
    """One way to train; a subclass gives `step`, and the rest where it differs.

    It is a module, so that what it keeps is known: every network that is assigned to an attribute is saved, restored
    and, when it has something to train, trained and wrapped for several processes; so are tensors given to
    `register_buffer`, but for the last two. `self.update` (an `Update`) is there when `step` is called.

    Args:
        cfg: the run.
        network: with its starting weights.
        device: where networks and batches are.
    """

    update: Update

    def __init__(self, cfg: CfgNode, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.network, self.device = network, device

    @classmethod
    def loaders(cls, cfg: CfgNode) -> dict[str, Reads]:
        """Return what an iteration reads, by name; the first one sets epoch length and learning-rate schedule."""
        return {"labelled": Reads("train_label")}

    def step(self, batches: dict[str, Batch]) -> dict[str, float | Measure]:
        """Run one iteration and return what is measured, under any name.

        Args:
            batches: by the names of `loaders`, on the device: `clips` (B, 3, T, H, W) or the views, `labels` (B,),
                `names`, for tables with probabilities `probs` (B, K), and `rng`, a NumPy generator that depends on
                seed, epoch, iteration, batch and process only.
        """
        raise NotImplementedError

    def networks(self) -> dict[str, nn.Module]:
        """Return all networks that are kept, by name."""
        return {name: module for name, module in self._modules.items() if module is not None}

    def network_to_test(self) -> nn.Module:
        """Return the network that is evaluated, adapted and becomes `best.pyth`."""
        return self.network

    def own_state(self) -> dict[str, torch.Tensor]:
        """Return the tensors that the method itself keeps."""
        return {name: tensor for name, tensor in self.named_buffers(recurse=False)}

    def trained(self) -> dict[str, nn.Module]:
        """Return the networks that have something to train."""
        return {
            name: network
            for name, network in self.networks().items()
            if any(parameter.requires_grad for parameter in network.parameters())
        }


METHODS: Registry[type[Method]] = Registry("TRAIN.METHOD")


def chosen_method(cfg: CfgNode) -> type[Method]:
    """Return the method of TRAIN.METHOD; without a name, pseudo-labels when DATA.PSEUDO_CSV is set, else labels."""
    return METHODS[cfg.TRAIN.METHOD or ("pseudo_label" if cfg.DATA.PSEUDO_CSV else "supervised")]


def reads_of(cfg: CfgNode) -> dict[str, Reads]:
    """Return what the method of a run reads in an iteration, by name.

    Raises:
        InputError: its `loaders` returned something else.
    """
    method = chosen_method(cfg)
    reads = method.loaders(cfg)
    if not isinstance(reads, dict) or not reads or not all(isinstance(one, Reads) for one in reads.values()):
        raise InputError(f"TRAIN.METHOD: loaders of {method.__name__} returned {reads!r}; return {{name: Reads(...)}}")
    return reads


def check_method(method: Method) -> None:
    """Refuse a method whose networks cannot be saved.

    Raises:
        InputError: naming what it keeps.
    """
    networks, seen = method.networks(), {}
    for name, network in networks.items():
        what = f"TRAIN.METHOD: {type(method).__name__} keeps {name!r}"
        if not isinstance(network, nn.Module):
            raise InputError(f"{what}, which is a {type(network).__name__} and no torch module, so it cannot be saved")
        if id(unwrap(network)) in seen:
            raise InputError(f"{what} and {seen[id(unwrap(network))]!r}, which are one network; keep it under one name")
        seen[id(unwrap(network))] = name
        for key, value in network.state_dict().items():
            if not isinstance(value, torch.Tensor):
                raise InputError(f"{what}, whose state {key!r} is a {type(value).__name__}: only tensors can be saved")
    if id(unwrap(method.network_to_test())) not in seen:
        raise InputError(f"TRAIN.METHOD: {type(method).__name__} tests a network that it does not keep; assign it")
    if any(True for _ in method.parameters(recurse=False)) or not method.trained():
        raise InputError(
            f"TRAIN.METHOD: {type(method).__name__} needs parameters to train, all of them inside networks "
            "(check TRAIN.FREEZE)"
        )


def checked_measures(method: Method, measures: Any) -> dict[str, Measure]:
    """Return what a method's step returned as measures.

    Raises:
        InputError: they are no numbers under names, or one of them would hide a field of the records.
    """
    what = f"TRAIN.METHOD: step of {type(method).__name__} returned"
    if not isinstance(measures, Mapping):
        raise InputError(
            f"{what} a {type(measures).__name__}; return a dict of what is measured, such as self.update's"
        )
    checked = {}
    for name, value in measures.items():
        if name in RESERVED:
            raise InputError(f"TRAIN.METHOD measures {name!r}, a name that every record has already; take another one")
        measure = value if isinstance(value, Measure) else Measure(value)
        try:
            checked[name] = measure._replace(value=_as_it_is(measure.value))
        except (TypeError, ValueError, RuntimeError):
            kind = type(measure.value).__name__
            raise InputError(f"{what} {name!r} as a {kind} that is not one number; take its mean") from None
    return checked


def _as_it_is(value: Any) -> float | torch.Tensor:
    """Return a value as it is now: a number, or what stays on a GPU until it is read."""
    on_gpu = isinstance(value, torch.Tensor) and value.is_cuda and value.numel() == 1
    return value.detach().clone() if on_gpu else float(value)


def feature_width(cfg: CfgNode, network: nn.Module, device: torch.device) -> int:
    """Return the width D of a network's features; nothing in the network changes."""
    size = network.size or cfg.DATA.TRAIN_CROP_SIZE
    clips_BCTHW = torch.zeros(1, 3, network.frames or cfg.DATA.NUM_FRAMES, size, size, device=device)
    was_training = network.training
    with torch.no_grad():
        width = network.eval().forward_features(clips_BCTHW).shape[1]
    network.train(was_training)
    return width


def frozen_copy(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode whose weights get no gradient, such as a teacher."""
    return copy.deepcopy(unwrap(network)).requires_grad_(False).eval()


def named_views(batch: Batch, views: tuple[str, ...]) -> Batch:
    """Return a batch with its views under their names; they lie in turn in `clips`."""
    if not views:
        return batch
    clips = batch["clips"]
    rest = {name: value for name, value in batch.items() if name != "clips"}
    return {**rest, **{name: clips[number :: len(views)] for number, name in enumerate(views)}}
