"""The one door to the networks: configuration in, module out."""

import logging
from pathlib import Path

from fvcore.common.config import CfgNode
from torch.nn.modules.batchnorm import _NormBase

from slowfast.models import frames, huggingface, mvit, slowfast_r101, torchvision_video, uniformer, videomae  # noqa: F401
from slowfast.models.memory import save_memory
from slowfast.models.network import NETWORKS, Network
from slowfast.models.weights import LoadReport, head_prefixes, load_weights
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)


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
    _check_network(cfg.MODEL.ARCH, model)
    if cfg.MODEL.USE_CHECKPOINT:
        save_memory(model.blocks_to_checkpoint(cfg.MODEL.CHECKPOINT_NUM))
    if cfg.TRAIN.ENABLE and cfg.BN.USE_PRECISE_STATS and not any(isinstance(m, _NormBase) for m in model.modules()):
        logger.info("this network has no BatchNorm: BN.USE_PRECISE_STATS does nothing, TEST.ADAPT has other ways")
    return model


def _check_network(arch: str, model: Network) -> None:
    """Refuse what is no network, or does not say which of its tensors are the head."""
    kind, heads = type(model).__name__, head_prefixes(model)
    if not isinstance(model, Network):
        raise InputError(f"MODEL.ARCH {arch}: from_cfg returned a {kind}; return an instance of its class")
    no_head = type(model).forward_head is Network.forward_head and not hasattr(model, "head")
    if no_head or not any(name.startswith(heads) for name in model.state_dict()):
        raise InputError(
            f"MODEL.ARCH {arch}: {kind} has no classifier that begins with {' or '.join(heads)}; call it `head`, or "
            "name another beginning in `head_names` and define `forward_head`"
        )


def weights_as_built(cfg: CfgNode, model: Network) -> str:
    """Say what weights a network has that was built with `cfg.RNG_SEED` and then got none of a file."""
    if model.source is None:
        return f"weights are random (RNG_SEED {cfg.RNG_SEED})"
    new = ", ".join(model.new_parts)
    return f"weights are those of the folder {model.source}" + (f"; new and random: {new}" if new else "")


def load_starting_weights(cfg: CfgNode, model: Network, path: str | Path, **limits: float) -> LoadReport:
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


def load_trained_weights(cfg: CfgNode, model: Network, path: str | Path, *, head: bool = True) -> LoadReport:
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
