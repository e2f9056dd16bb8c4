"""The one door to the networks: configuration in, module out."""

from fvcore.common.config import CfgNode

from slowfast.models import mvit, slowfast_r101, uniformer, videomae  # noqa: F401  each registers its network
from slowfast.models.memory import save_memory
from slowfast.models.network import NETWORKS, Network


def build_model(cfg: CfgNode) -> Network:
    """Build the network of `MODEL.ARCH` on the CPU with fresh weights.

    Args:
        cfg: configuration; each network reads its own section, MODEL and the clip size in DATA.

    Returns:
        A module: `model(clips)` takes normalised RGB (B, 3, T, H, W) and gives logits (B, K),
        `model.forward_features(clips)` gives the pooled (B, D) that the head sees. It is plain:
        `slowfast.models.accelerate.accelerate` gives it the fast forms of a device.

    Raises:
        InputError: an unknown architecture or settings that do not fit together.
    """
    model = NETWORKS[cfg.MODEL.ARCH].from_cfg(cfg)
    if cfg.MODEL.USE_CHECKPOINT:
        save_memory(model.blocks_to_checkpoint(cfg.MODEL.CHECKPOINT_NUM))
    return model
