"""An MLP whose hidden activations stay in the processor's cache in evaluation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.models.layers import Mlp

_BLOCK = 2048  # rows


class BlockedMlp(Mlp):
    """`Mlp` by blocks of rows where the input is large and no backward pass needs the hidden activations."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape with the output width."""
        axis = 1 if self.fc1.weight.ndim == 5 else -1
        needed = self.training or (torch.is_grad_enabled() and (x.requires_grad or self.fc1.weight.requires_grad))
        if needed or x.numel() <= 4 * _BLOCK * x.shape[axis] or torch.compiler.is_compiling():
            return super().forward(x)
        rows_NC = x.movedim(axis, -1)
        fc1, fc2 = self.fc1.weight.flatten(1), self.fc2.weight.flatten(1)
        blocks = rows_NC.flatten(0, -2).split(_BLOCK)
        y_NC = torch.cat([F.linear(F.gelu(F.linear(r, fc1, self.fc1.bias)), fc2, self.fc2.bias) for r in blocks])
        return y_NC.view(*rows_NC.shape[:-1], -1).movedim(-1, axis)
