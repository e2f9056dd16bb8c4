"""Training on labelled clips and on pseudo-labelled ones (upstream's order of one iteration)."""

from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.datasets.splits import PSEUDO_SPLIT
from slowfast.engine.methods.base import METHODS, Reads
from slowfast.engine.methods.labelled import LabelledLoss
from slowfast.engine.methods.supervised import Supervised
from slowfast.engine.update import Batch, Measure


@METHODS.register("pseudo_label")
class PseudoLabel(Supervised):
    """Update on a labelled batch, then on a pseudo-labelled one with the weights already updated.

    Each has its own backward pass, clipping and optimizer step; see `Method` for the arguments.
    """

    def __init__(self, cfg: CfgNode, network: nn.Module, device: torch.device) -> None:
        super().__init__(cfg, network, device)
        self.pseudo_loss = LabelledLoss(cfg, device, is_pseudo=True)

    @classmethod
    def loaders(cls, cfg: CfgNode) -> dict[str, Reads]:
        """Return labelled clips and the table of DATA.PSEUDO_CSV."""
        return {**super().loaders(cfg), "pseudo": Reads(PSEUDO_SPLIT, "dark")}

    def step(self, batches: dict[str, Batch]) -> dict[str, Measure]:
        """Run one iteration."""
        measures = super().step(batches)
        target = self.update(self._pseudo_loss, self.pseudo_loss.prepare(batches["pseudo"]))
        target.pop("grad_norm")
        target["top5_err"] = target["top5_err"]._replace(every_iteration=False)
        return {**measures, **{f"target_{name}": measure for name, measure in target.items()}}

    def _pseudo_loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the loss of a pseudo-labelled batch and what is measured with it."""
        return self.pseudo_loss(self.network(batch["clips"]), batch)
