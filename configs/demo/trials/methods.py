"""Ways to train that only tools/trials.py uses (`--plugin`): averaged weights; soft targets weighted by trust."""

import torch
from torch.nn import functional as F

from slowfast.engine.methods import METHODS
from slowfast.engine.methods.base import frozen_copy
from slowfast.engine.methods.pseudo_label import PseudoLabel

DECAY = 0.98


@METHODS.register("averaged")
class Averaged(PseudoLabel):
    """Pseudo-labels; an exponential mean of the weights is tested."""

    def __init__(self, cfg, network, device):
        super().__init__(cfg, network, device)
        self.mean = frozen_copy(network)

    def network_to_test(self):
        """Return the mean."""
        return self.mean

    def step(self, batches):
        """Run one iteration, then follow the weights; the statistics are those of the network."""
        measures = super().step(batches)
        with torch.no_grad():
            for mean, value in zip(self.mean.parameters(), self.network.parameters()):
                mean.lerp_(value, 1 - DECAY)
            for mean, value in zip(self.mean.buffers(), self.network.buffers()):
                mean.copy_(value)
        return measures


class SoftLoss:
    """Cross-entropy against the probabilities of the table, each clip weighted by its largest one."""

    def __call__(self, logits_BK, probs_BK):
        """Return the loss of logits and probabilities, both (B, K)."""
        trust_B = probs_BK.float().amax(1)
        loss_B = -(probs_BK.float() * F.log_softmax(logits_BK.float(), -1)).sum(1)
        return (loss_B * trust_B / trust_B.mean()).mean()


@METHODS.register("soft_targets")
class SoftTargets(PseudoLabel):
    """Pseudo-labels as probabilities."""

    def __init__(self, cfg, network, device):
        super().__init__(cfg, network, device)
        self.pseudo_loss.soft = SoftLoss()
