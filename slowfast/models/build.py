"""The one door to the networks: configuration in, module out."""

from pathlib import Path

from fvcore.common.config import CfgNode
from torch import nn

from slowfast.models.mvit import MViT
from slowfast.models.slowfast_r101 import SlowFast
from slowfast.models.uniformer import UniFormer
from slowfast.models.videomae import VideoMAE
from slowfast.models.weights import LoadReport, load_weights
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


def load_starting_weights(cfg: CfgNode, model: nn.Module, path: str | Path, **limits: float) -> LoadReport:
    """Load the weights that a training starts from, as the keys TRAIN.CHECKPOINT_* say.

    Args:
        cfg: configuration; TRAIN.CHECKPOINT_WEIGHTS names the entry.
        model: network that receives the weights.
        path: file of weights.
        **limits: `smallest_share` of `load_weights`.

    Raises:
        InputError: no readable checkpoint, or one that fits too little of the network.
    """
    return load_weights(model, path, entry=cfg.TRAIN.CHECKPOINT_WEIGHTS, **limits, **_reading(cfg))


def load_trained_weights(cfg: CfgNode, model: nn.Module, path: str | Path, *, head: bool = True) -> LoadReport:
    """Load weights that are used as they are: no tensor may be missing but those of a head of another class count.

    Args:
        cfg: configuration; TEST.CHECKPOINT_WEIGHTS names the entry.
        model: network that receives the weights.
        path: file of weights.
        head: the head is used; without, it may be missing.

    Raises:
        InputError: no readable checkpoint, or one in which something is missing.
    """
    return load_weights(model, path, entry=cfg.TEST.CHECKPOINT_WEIGHTS, complete=True, head=head, **_reading(cfg))


def _reading(cfg: CfgNode) -> dict[str, tuple]:
    """Return how the names and tables of a file are read."""
    patterns, grid = cfg.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN, cfg.TRAIN.CHECKPOINT_GRID
    if grid and (len(grid) != 3 or not all(type(size) is int and size > 0 for size in grid)):
        raise InputError(
            f"TRAIN.CHECKPOINT_GRID is {list(grid)}: three numbers (frames, rows, columns) or [] are needed"
        )
    return {"clear_patterns": tuple(patterns), "grid": tuple(grid)}
