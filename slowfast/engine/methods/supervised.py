"""Training on labelled clips."""

from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.methods.base import METHODS, Method
from slowfast.engine.methods.labelled import LabelledLoss
from slowfast.engine.update import Batch, Measure


@METHODS.register("supervised")
class Supervised(Method):
    """One update on a labelled batch; see `Method` for the arguments."""

    def __init__(self, cfg: CfgNode, network: nn.Module, device: torch.device) -> None:
        super().__init__(cfg, network, device)
        self.loss = LabelledLoss(cfg, device)

    def step(self, batches: dict[str, Batch]) -> dict[str, Measure]:
        """Run one iteration."""
        return self.update(self._loss, self.loss.prepare(batches["labelled"]))

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the loss of a batch and what is measured with it."""
        return self.loss(self.network(batch["clips"]), batch)
