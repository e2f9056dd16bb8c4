"""Mean teacher: Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017, on labels it is sure of.

The teacher is an exponential mean of the student's weights. It labels a weak view of unlabelled clips, the student has
to say the same of a strong view of the same clips where the teacher's confidence reaches a threshold (Sohn et al.,
FixMatch, NeurIPS 2020). The teacher is tested.
"""

from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch.nn import functional as F

from slowfast.engine.checkpoint import unwrap
from slowfast.engine.methods.base import METHODS, Reads, frozen_copy
from slowfast.engine.methods.supervised import Supervised
from slowfast.engine.update import Batch, Measure


@METHODS.register("mean_teacher")
class MeanTeacher(Supervised):
    """Supervised loss of the student plus its agreement with the teacher; see `Method` for the arguments."""

    def __init__(self, cfg: CfgNode, network: nn.Module, device: torch.device) -> None:
        super().__init__(cfg, network, device)
        self.keys = cfg.MEAN_TEACHER
        self.teacher = frozen_copy(network)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @classmethod
    def loaders(cls, cfg: CfgNode) -> dict[str, Reads]:
        """Return labelled clips, and a weak and a strong view of unlabelled ones."""
        pool = Reads(cfg.MEAN_TEACHER.SPLIT, "dark", labelled=False, views=("weak", "strong"))
        return {**super().loaders(cfg), "pool": pool}

    def network_to_test(self) -> nn.Module:
        """Return the teacher."""
        return self.teacher

    def step(self, batches: dict[str, Batch]) -> dict[str, Measure]:
        """Run one iteration."""
        pool = batches["pool"]
        with torch.no_grad(), self.update.autocast():
            confidence_B, guess_B = self.teacher(pool["weak"]).float().softmax(-1).max(-1)
        pool = {**pool, "guess": guess_B, "kept": (confidence_B >= self.keys.THRESHOLD).float()}
        measures = self.update(self._both_losses, self.loss.prepare(batches["labelled"]), pool)
        self._follow()
        return measures

    def _both_losses(self, labelled: Batch, pool: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the student's loss on labelled clips plus its weighted loss on strong views, from one forward pass."""
        logits_BK = self.network(torch.cat([labelled["clips"], pool["strong"]]))
        supervised, measured = self.loss(logits_BK[: len(labelled["clips"])], labelled)
        logits_BK = logits_BK[len(labelled["clips"]) :].float()
        consistency = (F.cross_entropy(logits_BK, pool["guess"], reduction="none") * pool["kept"]).mean()
        measured |= {"supervised_loss": supervised.detach(), "consistency_loss": consistency.detach()}
        return supervised + self.keys.WEIGHT * consistency, {**measured, "keep_rate": pool["kept"].mean()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the teacher's weights towards the student's, in the beginning faster; buffers are copied."""
        self.updates += 1
        done = self.updates.double()
        rest = 1.0 - ((done + 1) / (done + 10)).clamp(max=self.keys.DECAY)
        student = unwrap(self.network)
        for mean, value in zip(self.teacher.parameters(), student.parameters()):
            mean.lerp_(value, rest.to(mean.dtype))
        for mean, value in zip(self.teacher.buffers(), student.buffers()):
            mean.copy_(value)
