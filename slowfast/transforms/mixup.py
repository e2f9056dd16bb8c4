"""Mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019) of a batch with its own reverse, and soft targets."""

import math

import numpy as np
import torch


def smooth_one_hot(labels_B: torch.Tensor, num_classes: int, smoothing: float) -> torch.Tensor:
    """Return one-hot targets with label smoothing: smoothing / K everywhere, the rest on the label.

    Returns:
        float32 (B, K).
    """
    off = smoothing / num_classes
    target_BK = torch.full((len(labels_B), num_classes), off, device=labels_B.device)
    return target_BK.scatter_(1, labels_B.long().view(-1, 1), 1.0 - smoothing + off)


def mixup_target(labels_B: torch.Tensor, num_classes: int, lam: float = 1.0, smoothing: float = 0.0) -> torch.Tensor:
    """Return the targets of a batch mixed with its reverse: lam * y + (1 - lam) * reversed y.

    Args:
        labels_B: class numbers.
        num_classes: K.
        lam: share of the batch itself.
        smoothing: label smoothing of both parts.

    Returns:
        float32 (B, K).
    """
    target_BK = smooth_one_hot(labels_B, num_classes, smoothing)
    return target_BK * lam + target_BK.flip(0) * (1.0 - lam)


class Mixup:
    """Mix a batch of clips with its reverse: one draw for the whole batch.

    Args:
        num_classes: K.
        alpha: beta distribution of mixup.
        cutmix_alpha: beta distribution of cutmix.
        prob: share of batches that are mixed.
        switch_prob: share of cutmix among them.
        label_smoothing: smoothing of the targets, mixed or not.
        rng: legacy NumPy generator with `rand`, `beta` and `randint`; default is NumPy's global one.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        alpha: float = 0.8,
        cutmix_alpha: float = 1.0,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        label_smoothing: float = 0.1,
        rng: np.random.RandomState | None = None,
    ) -> None:
        if alpha <= 0 and cutmix_alpha <= 0:
            raise ValueError("one of alpha and cutmix_alpha has to be above 0")
        self.num_classes = num_classes
        self.alpha, self.cutmix_alpha = alpha, cutmix_alpha
        self.prob, self.switch_prob = prob, switch_prob
        self.label_smoothing = label_smoothing
        self.rng = rng or np.random

    def __call__(
        self, clips: torch.Tensor, labels_B: torch.Tensor, rng: np.random.RandomState | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mixed clips (B, C, T, H, W), a new tensor, and float32 targets (B, K).

        Args:
            clips: float (B, C, T, H, W).
            labels_B: class numbers.
            rng: generator of this batch's draws; default is the one given at construction.

        Raises:
            ValueError: when the batch has fewer than two clips.
        """
        if len(clips) < 2:
            raise ValueError("mixup needs a batch of at least two clips")
        rng = rng or self.rng
        lam, use_cutmix = self._draw(rng)
        if use_cutmix and lam < 1:
            clips, lam = self._cutmix(clips, lam, rng)
        elif lam < 1:
            clips = clips * lam + clips.flip(0) * (1.0 - lam)
        return clips, mixup_target(labels_B, self.num_classes, lam, self.label_smoothing)

    def _draw(self, rng: np.random.RandomState) -> tuple[float, bool]:
        """Return (lam, cutmix or not); draws in the order probability, switch, beta."""
        if rng.rand() >= self.prob:
            return 1.0, False
        if self.alpha > 0 and self.cutmix_alpha > 0:
            use_cutmix = rng.rand() < self.switch_prob
        else:
            use_cutmix = self.cutmix_alpha > 0
        alpha = self.cutmix_alpha if use_cutmix else self.alpha
        return float(rng.beta(alpha, alpha)), bool(use_cutmix)

    def _cutmix(self, clips: torch.Tensor, lam: float, rng: np.random.RandomState) -> tuple[torch.Tensor, float]:
        """Return clips with a box of their partners, the same in all frames, and lam as the share that is left."""
        height, width = clips.shape[-2:]
        ratio = math.sqrt(1.0 - lam)
        h, w = int(height * ratio), int(width * ratio)
        y, x = int(rng.randint(0, height)), int(rng.randint(0, width))
        top, bottom = max(y - h // 2, 0), min(y + h // 2, height)
        left, right = max(x - w // 2, 0), min(x + w // 2, width)
        mixed = clips.clone()
        mixed[..., top:bottom, left:right] = clips.flip(0)[..., top:bottom, left:right]
        return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)
