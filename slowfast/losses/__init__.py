"""Training losses. Legend: B batch, K classes."""

import torch
from torch import nn
from torch.nn import functional as F


def soft_cross_entropy(logits_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
    """Return the mean over the batch of `-sum_k target * log_softmax(logits)`.

    Args:
        logits_BK: float (B, K).
        target_BK: float (B, K), rows that sum to 1, for example from mixup.
    """
    return -(target_BK * F.log_softmax(logits_BK, dim=-1)).sum(dim=-1).mean()


def binary_cross_entropy(logits_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
    """Return the mean over all B x K elements of the cross-entropy of `sigmoid(logits)`.

    Args:
        logits_BK: float (B, K).
        target_BK: float (B, K), 1 for every label of a clip, 0 for the other classes.
    """
    return F.binary_cross_entropy_with_logits(logits_BK, target_BK)


def class_shares(logits_BK: torch.Tensor, *, several: bool) -> torch.Tensor:
    """Return probabilities of logits, in their shape and type.

    Args:
        logits_BK: float (..., K).
        several: a clip may have several labels: the sigmoid of every class, else the softmax.
    """
    return logits_BK.sigmoid() if several else logits_BK.softmax(-1)


class KLLoss(nn.Module):
    """Distillation against stored probabilities, in upstream's form.

    The mean over all B x K elements of the KL divergence between `log_softmax(logits / T)` and
    `probabilities / T`, times T squared. The target is divided by T, not sharpened, and kept in half precision.

    Args:
        temperature: T.
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits_BK: torch.Tensor, probs_BK: torch.Tensor) -> torch.Tensor:
        """Return the loss of float logits (B, K) against float probabilities (B, K)."""
        log_probs_BK = F.log_softmax(logits_BK / self.temperature, dim=-1)
        target_BK = probs_BK.half() / self.temperature
        total = F.kl_div(log_probs_BK, target_BK, reduction="sum")
        return total / log_probs_BK.numel() * self.temperature**2
