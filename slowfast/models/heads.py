"""What turns tokens into the vector that is classified, where a network's own pooling is not wanted.

Legend: B batch, N tokens, D width, L heads, E width of one head.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.models.layers import Mlp, init_transformer_weights

_HEAD_WIDTH = 64


class AttentivePooler(nn.Module):
    """One learned query that looks at all tokens, and an MLP: V-JEPA's attentive probe.

    Bardes et al., "Revisiting Feature Prediction for Learning Visual Representations from Video", 2024: its frozen
    evaluation puts one cross-attention block and a linear layer on the tokens.

    Args:
        width: token width D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_heads = math.gcd(width, max(1, width // _HEAD_WIDTH))
        self.query = nn.Parameter(torch.zeros(1, 1, width))
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)
        self.apply(init_transformer_weights)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """Return (B, D)."""
        query_B1D = self.query.expand(len(tokens_BND), -1, -1)
        q_BL1E = self.q(query_B1D).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
        kv_BNM = self.kv(self.norm1(tokens_BND)).unflatten(2, (2, self.num_heads, -1))
        k_BLNE, v_BLNE = kv_BNM.permute(2, 0, 3, 1, 4)
        seen_BL1E = F.scaled_dot_product_attention(q_BL1E, k_BLNE, v_BLNE)
        seen_B1D = query_B1D + seen_BL1E.transpose(1, 2).flatten(2)
        return (seen_B1D + self.mlp(self.norm2(seen_B1D)))[:, 0]
