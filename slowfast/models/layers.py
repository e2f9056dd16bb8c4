"""Small blocks that several networks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training drop a sample's residual and scale up the others.

    Args:
        drop_prob: probability of dropping.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some samples (axis 0) set to zero."""
        if not self.training or self.drop_prob == 0.0:
            return x
        keep = 1.0 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep) if keep > 0 else x * mask


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """Return the drop-path rate of every block, linear from 0 to `rate`."""
    return torch.linspace(0, rate, depth, device="cpu").tolist()


class Mlp(nn.Module):
    """Two projections with a GELU between them.

    Args:
        width: input width.
        hidden: width between the projections.
        width_out: output width; None keeps the input width.
        dropout: probability of dropping after each projection.
        layer: makes a projection from two widths; `nn.Linear` on (..., D), or a convolution on (B, C, T, H, W).
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        width_out: int | None = None,
        dropout: float = 0.0,
        layer: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.fc1 = layer(width, hidden)
        self.act = nn.GELU()
        self.fc2 = layer(hidden, width_out or width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape with the output width."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


def init_transformer_weights(module: nn.Module) -> None:
    """Initialise one module: Linear weights from a normal cut at two, std 0.02, their biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
