"""Features of a pool are moved so that their mean is zero before the head sees them.

NEO: No-Optimization Test-Time Adaptation through Latent Re-Centering, ICLR 2026, arXiv 2510.05635: of trained networks
the features of all classes lie about the origin, and a shift of the domain moves them together.

Legend: B clips, D width, K classes.
"""

import torch
from torch import Tensor, nn

from slowfast.engine.adapt.base import ADAPTATIONS, Adaptation, Pool


class Recentred(nn.Module):
    """A network whose features lie about the centre of a pool.

    Args:
        network: with `forward_features` and `forward_head`.
        centre_D: mean feature of the pool.
    """

    def __init__(self, network: nn.Module, centre_D: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("centre", centre_D)

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return features less the centre (B, D)."""
        features_BD = self.network.forward_features(clips_BCTHW)
        return features_BD - self.centre.to(features_BD.dtype)

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return logits (B, K)."""
        return self.network.forward_head(features_BD)

    def forward(self, clips_BCTHW: Tensor) -> Tensor:
        """Return logits (B, K)."""
        return self.forward_head(self.forward_features(clips_BCTHW))


@ADAPTATIONS.register("recentre")
class Recentre(Adaptation):
    """The mean feature of the pool is subtracted before the head."""

    trains = False

    @torch.no_grad()
    def adapt(self, model: nn.Module, pool: Pool) -> nn.Module:
        """Return the network with features about the pool's mean."""
        sums = [(model.forward_features(clips).double().sum(0), len(clips)) for clips in pool]
        centre_D = sum(total for total, _ in sums) / sum(count for _, count in sums)
        return Recentred(model, centre_D.float()).eval()
