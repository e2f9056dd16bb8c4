"""The one door to the networks: configuration in, module out."""

from fvcore.common.config import CfgNode
from torch import nn

from slowfast.models.mvit import MViT
from slowfast.models.slowfast_r101 import SlowFast
from slowfast.models.uniformer import UniFormer
from slowfast.models.videomae import VideoMAE
from slowfast.utils.errors import InputError

ARCHITECTURES: dict[str, type[nn.Module]] = {"uniformer": UniFormer, "mvit": MViT, "sf": SlowFast, "videomae": VideoMAE}


def build_model(cfg: CfgNode) -> nn.Module:
    """Build the network of `MODEL.ARCH` on the CPU with fresh weights.

    Args:
        cfg: configuration; each network reads its own section, MODEL and the clip size in DATA.

    Returns:
        A module: `model(clips)` takes normalised RGB (B, 3, T, H, W) and gives logits (B, K),
        `model.forward_features(clips)` gives the pooled (B, D) that the head sees.

    Raises:
        InputError: an unknown architecture or settings that do not fit together.
    """
    try:
        architecture = ARCHITECTURES[cfg.MODEL.ARCH]
    except KeyError:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(f"MODEL.ARCH is {cfg.MODEL.ARCH!r}, one of {known} is needed") from None
    return architecture.from_cfg(cfg)
