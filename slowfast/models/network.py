"""What every network is: features, then a head; networks add themselves to NETWORKS by name."""

from collections.abc import Sequence
from pathlib import Path

from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.utils.errors import InputError
from slowfast.utils.registry import Registry

Size = tuple[int, int, int]


class Network(nn.Module):
    """Clips to logits through pooled features.

    A network is written with stock modules and asks nothing about devices, autocast or memory: what is done for those
    is applied from outside (`slowfast.models.accelerate`, `slowfast.models.memory`).

    Attributes:
        head_names: beginnings of the names of the head's tensors, which weights for other classes may lack.
        probe_names: beginnings of the names of what TRAIN.PROBE trains; empty: the head.
        exact_modules: modules besides the head that stay in float32 under autocast, since all that follows reads them.
        mean: mean of the colours that the network was trained with; it turns clips normalised as DATA says into them
            itself. None: DATA.MEAN.
        std: their standard deviation; None: DATA.STD.
        frames: frames of a clip; None: DATA.NUM_FRAMES.
        size: side of a clip in pixels; None: that of DATA.
        unused_parameters: some parameters get no gradient.
        source: folder whose weights it was built with; None: fresh ones.
        new_parts: what that folder lacked and is fresh, each with the reason.
    """

    head_names: tuple[str, ...] = ("head.",)
    probe_names: tuple[str, ...] = ()
    exact_modules: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    frames: int | None = None
    size: int | None = None
    unused_parameters: bool = False
    source: Path | None = None
    new_parts: tuple[str, ...] = ()

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "Network":
        """Build the network that a configuration describes."""
        raise NotImplementedError

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled features (B, D) of normalised RGB clips (B, 3, T, H, W)."""
        raise NotImplementedError

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return the logits (B, K) of pooled features."""
        return self.head(features_BD)

    def forward_trunk(self, clips_BCTHW: Tensor) -> Tensor:
        """Return what TRAIN.PROBE leaves as it is, computed from clips: at most four dimensions, the batch first."""
        return self.forward_features(clips_BCTHW)

    def pool_trunk(self, trunk_B: Tensor) -> Tensor:
        """Return the features (B, D) of what `forward_trunk` gave."""
        return trunk_B

    def forward(self, clips_BCTHW: Tensor, *, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits (B, K), when asked for with the features (B, D).

        `clips_BCTHW` are normalised RGB clips (B, 3, T, H, W), or what `forward_trunk` gave for them. What a training
        method computes a gradient of has to come from here: the wrapper of several processes exchanges the gradients of
        this pass alone.
        """
        features_BD = (self.forward_features if clips_BCTHW.ndim == 5 else self.pool_trunk)(clips_BCTHW)
        if features_BD.ndim != 2:
            shape = tuple(features_BD.shape)
            raise InputError(f"forward_features of {type(self).__name__} gives {shape}, pooled to (B, D) is needed")
        logits_BK = self.forward_head(features_BD)
        if logits_BK.ndim != 2:  # of (B, 1, K) the first class would be every clip's, with probability 1
            shape = tuple(logits_BK.shape)
            raise InputError(f"forward_head of {type(self).__name__} gives {shape}, logits (B, K) are needed")
        return (logits_BK, features_BD) if with_features else logits_BK

    def position_grids(self) -> dict[str, tuple[Size, int]]:
        """Return {parameter: (token grid (T, H, W), rows before it)} of the learned positions."""
        return {}

    def blocks_to_checkpoint(self, counts: Sequence[int]) -> Sequence[nn.Module]:
        """Return the blocks whose activations are computed again in the backward pass when memory is to be saved.

        Args:
            counts: MODEL.CHECKPOINT_NUM, for networks that take that many blocks of each stage.
        """
        if not hasattr(self, "blocks"):
            raise InputError(
                f"MODEL.USE_CHECKPOINT is True, but {type(self).__name__} has no `blocks` to compute again; "
                "set it False"
            )
        return list(self.blocks)

    def drop_idle_branches(self) -> None:
        """Remove, for evaluation only, what gives nothing to the logits."""


NETWORKS: Registry[type[Network]] = Registry("MODEL.ARCH")


def trained_names(network: nn.Module) -> tuple[str, ...]:
    """Return the beginnings of the names of what is trained where the trunk is not: TRAIN.PROBE, LORA."""
    return getattr(network, "probe_names", ()) or getattr(network, "head_names", Network.head_names)
