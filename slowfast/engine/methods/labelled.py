"""The loss of labelled clips and what is measured with it: mixing, class weights, stored probabilities."""

from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch.nn import functional as F

from slowfast.config import several_labels
from slowfast.engine.update import Batch
from slowfast.losses import KLLoss, binary_cross_entropy, soft_cross_entropy
from slowfast.transforms.mixup import Mixup


class LabelledLoss:
    """Cross-entropy of labelled clips, with mixup where MIXUP says so; with several labels a clip that of every class.

    Args:
        cfg: MIXUP, MODEL and TRAIN.CLASS_WEIGHTS are read.
        device: where the batches are.
        is_pseudo: labels are pseudo-labels: MODEL.PSEUDO_LOSS_FUNC counts and TRAIN.CLASS_WEIGHTS does not.
    """

    def __init__(self, cfg: CfgNode, device: torch.device, *, is_pseudo: bool = False) -> None:
        self.soft = KLLoss(temperature=cfg.MODEL.SOFT_T) if is_pseudo and cfg.MODEL.PSEUDO_LOSS_FUNC == "kl" else None
        self.mixup = None
        if cfg.MIXUP.ENABLE and self.soft is None:
            self.mixup = Mixup(
                num_classes=cfg.MODEL.NUM_CLASSES,
                alpha=cfg.MIXUP.ALPHA,
                cutmix_alpha=cfg.MIXUP.CUTMIX_ALPHA,
                prob=cfg.MIXUP.PROB,
                switch_prob=cfg.MIXUP.SWITCH_PROB,
                label_smoothing=cfg.MIXUP.LABEL_SMOOTH_VALUE,
            )
        is_mixed = self.mixup is not None and cfg.MODEL.LOSS_FUNC == "soft_cross_entropy"
        self.hard = soft_cross_entropy if is_mixed else F.cross_entropy
        self.several = several_labels(cfg)
        weights = [] if is_pseudo else cfg.TRAIN.CLASS_WEIGHTS
        self.weights_K = torch.tensor(weights, dtype=torch.float32, device=device) if weights else None

    def prepare(self, batch: Batch) -> Batch:
        """Return a batch with mixed `clips`, where they are mixed, and `target`: labels (B,) or shares (B, K)."""
        if self.mixup is None:
            return {**batch, "target": batch["probs" if self.several else "labels"]}
        clips, target_BK = self.mixup(batch["clips"], batch["labels"], rng=batch["rng"])
        return {**batch, "clips": clips, "target": target_BK}

    def __call__(self, logits_BK: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the loss of a prepared batch (or a part of one), and its top-1 and top-5 errors in percent."""
        logits_BK, target = logits_BK.float(), batch["target"]
        if self.several:
            loss = binary_cross_entropy(logits_BK, target)
        elif self.soft is not None:
            loss = self.soft(logits_BK, batch["probs"])
        elif self.weights_K is not None:
            # The mean over the clips, not over the weights, so that a batch in parts has the same loss.
            loss = F.cross_entropy(logits_BK, target, weight=self.weights_K, reduction="none").mean()
        else:
            loss = self.hard(logits_BK, target)
        errors = topk_misses if self.several else topk_errors
        first, fifth = errors(logits_BK.detach(), target)
        return loss, {"top1_err": 100.0 * first / len(logits_BK), "top5_err": 100.0 * fifth / len(logits_BK)}


def topk_misses(logits_BK: torch.Tensor, target_BK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for how many clips neither the first nor one of the first five classes is a label (1 in the target)."""
    best = logits_BK.topk(min(5, logits_BK.shape[1]), dim=1).indices
    hits = target_BK.gather(1, best) > 0
    return (~hits[:, :1].any(1)).sum().double(), (~hits.any(1)).sum().double()


def topk_errors(logits_BK: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers of top-1 and top-5 errors of a batch, in double precision, where the logits are.

    With mixed targets (B, K) the logit of the second class of a row is added to that of the first, so that
    either answer counts (as upstream reports its training error). A row that is only smoothed has no second class;
    upstream then adds the logit of any other one, which makes an error of many a right answer.
    """
    if target.ndim == 2:
        shares_B3, classes_B3 = target.topk(min(3, target.shape[1]), dim=1)
        is_mixed_B = shares_B3[:, 1] > shares_B3[:, -1]
        rows = torch.arange(len(logits_BK), device=logits_BK.device)
        first_B, second_B = classes_B3[:, 0], classes_B3[:, 1]
        logits_BK = logits_BK.clone()
        moved_B = torch.where(is_mixed_B, logits_BK[rows, second_B], 0.0)
        logits_BK[rows, first_B] += moved_B
        logits_BK[rows, second_B] -= moved_B
        target = first_B
    best = logits_BK.topk(min(5, logits_BK.shape[1]), dim=1).indices
    hits = best == target[:, None]
    return (~hits[:, :1].any(1)).sum().double(), (~hits.any(1)).sum().double()
