"""Any image network of timm on the frames of a clip, and a head over time: the mean, or an attentive pooler.

The plain baseline beside video networks (as in Wang et al., "Temporal Segment Networks", ECCV 2016), for trunks such as
DINOv3, SigLIP 2 and PE-Core.
Legend: B batch, C channels, T frames, H W, D width, K classes.
"""

import difflib
from collections.abc import Mapping, Sequence
from types import ModuleType

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from slowfast.models.library import HALF, LibraryNetwork, Stated, check_clips, data_colours
from slowfast.models.network import NETWORKS
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.utils.untrusted.folders import read_json


@NETWORKS.register("frames")
class Frames(LibraryNetwork):
    """An image network on every frame; its own names stand behind `image.`.

    Args:
        image: network (N, 3, H, W) -> (N, D), without a classifier.
        width: D.
        classes: K.
        stated: what the network says about itself.
        data: (DATA.MEAN, DATA.STD) that the clips come with.
        attentive: an attentive pooler over the frames instead of their mean (MODEL.HEAD attentive).
    """

    def __init__(
        self, image: nn.Module, *, width: int, classes: int, stated: Stated, data: tuple[Sequence[float], ...],
        attentive: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(stated, data=data, attentive_width=width if attentive else 0, classifier="classifier")
        self.image = image
        self.classifier = nn.Linear(width, classes)
        nn.init.trunc_normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "Frames":
        """Build the network that MODEL.BACKBONE names, with fresh weights.

        Raises:
            InputError: no network of timm, one that does not give one vector per image, or a size it does not take.
        """
        import timm

        name = cfg.MODEL.BACKBONE
        _refuse_name(timm, name)
        with torch.device("meta"):
            likeness = _create(timm, name).to("meta")
        facts = likeness.pretrained_cfg
        stated = Stated(
            name, cfg.DATA.NUM_FRAMES, facts["input_size"][-1], facts.get("mean") or HALF[0],
            facts.get("std") or HALF[1], facts.get("license") or "see the model card",
        )  # fmt: skip
        check_clips(cfg, stated)
        widths = {_width(likeness, size, stated) for size in (cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE)}
        image = _create(timm, name)
        if cfg.MODEL.USE_CHECKPOINT:
            _save_memory(image, name)
        return cls(
            image, width=widths.pop(), classes=cfg.MODEL.NUM_CLASSES, stated=stated, data=data_colours(cfg),
            attentive=cfg.MODEL.HEAD == "attentive",
        )  # fmt: skip

    def tokens(self, clips_BCTHW: Tensor) -> Tensor:
        """Return one vector per frame, (B, T, D)."""
        frames_BTCHW = clips_BCTHW.transpose(1, 2)
        return self.image(frames_BTCHW.flatten(0, 1)).unflatten(0, frames_BTCHW.shape[:2])

    def pool(self, tokens_BTD: Tensor) -> Tensor:
        """Return the mean over the frames, (B, D)."""
        return tokens_BTD.mean(1)

    def from_library(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return timm's state dict under the names here; its classifier is none for clips and stays out."""
        own = self.state_dict().keys()
        return {f"image.{name}": tensor for name, tensor in state.items() if f"image.{name}" in own}


def _refuse_name(timm: ModuleType, name: str) -> None:
    """Refuse what is no name in timm's own list: sources such as hf-hub: would fetch weights."""
    if name and repo_path(name).is_dir():
        settings = read_json(repo_path(name) / "config.json", f"MODEL.BACKBONE {name!r}")
        known = settings.get("architecture")
        raise InputError(
            f"MODEL.BACKBONE {name} is a folder, a name of timm is needed: set MODEL.BACKBONE "
            f"{known if timm.is_model(str(known)) else 'to its network'} and TRAIN.CHECKPOINT_FILE_PATH {name}"
        )
    bare = str(name).partition(".")[0]
    if ":" in name or "/" in name or not timm.is_model(bare):
        near = difflib.get_close_matches(bare, timm.list_models(), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"MODEL.BACKBONE is {name!r}, a name of timm {timm.__version__} is needed{hint}")


class _KnownRates(TorchFunctionMode):
    """On the meta device too `linspace` gives numbers: timm 1.0.3 reads the drop rates of its layers from it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call the function."""
        kwargs = kwargs or {}
        return func(*args, **{"device": "cpu"} | kwargs) if func is torch.linspace else func(*args, **kwargs)


def _create(timm: ModuleType, name: str) -> nn.Module:
    """Return a network of timm with fresh weights, without its classifier."""
    with _KnownRates():
        return timm.create_model(name, num_classes=0)


def _width(likeness: nn.Module, size: int, stated: Stated) -> int:
    """Return the width of what a network without memory gives for one image of a size."""
    try:
        features_BD = likeness.eval()(torch.empty(1, 3, size, size, device="meta"))
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"MODEL.BACKBONE {stated.name} does not take frames of {size} pixels ({reason}): set DATA.TRAIN_CROP_SIZE "
            f"and DATA.TEST_CROP_SIZE to {stated.size}"
        ) from None
    if features_BD.ndim != 2:
        shape = tuple(features_BD.shape)
        raise InputError(f"MODEL.BACKBONE {stated.name} gives {shape} for an image, one vector is needed: take another")
    return features_BD.shape[1]


def _save_memory(image: nn.Module, name: str) -> None:
    """Switch on timm's own activation checkpointing."""
    try:
        image.set_grad_checkpointing(True)
    except (AttributeError, AssertionError):
        raise InputError(f"timm's {name} has no activation checkpointing: set MODEL.USE_CHECKPOINT False") from None
