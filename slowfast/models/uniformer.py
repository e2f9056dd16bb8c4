"""UniFormer: convolution in the first two stages, space-time attention in the last two.

Li et al., "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning", ICLR 2022.
UniFormer-B is depth [5, 8, 20, 7]. Legend: B batch, C channels, T frames, H W, N tokens, D width, K classes.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.layers import DropPath, Mlp, drop_path_rates, init_transformer_weights
from slowfast.models.network import NETWORKS, Network
from slowfast.utils.errors import InputError


def pointwise(channels_in: int, channels_out: int) -> nn.Conv3d:
    """Return a 1x1x1 convolution."""
    return nn.Conv3d(channels_in, channels_out, kernel_size=1)


def depthwise(width: int, kernel: int) -> nn.Conv3d:
    """Return a convolution with one filter per channel that keeps the size."""
    return nn.Conv3d(width, width, kernel, padding=kernel // 2, groups=width)


class PatchEmbed(nn.Module):
    """Strided convolution, then LayerNorm over the channels.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel_size: (T, H, W).
        stride: (T, H, W).
        padding: (T, H, W).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel_size: tuple[int, int, int],
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels_out)
        self.proj = nn.Conv3d(channels_in, channels_out, kernel_size, stride=stride, padding=padding)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, channels_out, T', H', W')."""
        return self.norm(self.proj(x_BCTHW).permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)


class ConvBlock(nn.Module):
    """Local relations: positions, a 5x5x5 depthwise convolution between 1x1x1 ones, and an MLP (section 3.2).

    Args:
        width: channels.
        mlp_ratio: hidden width of the MLP over width.
        dropout: dropout of the MLP.
        drop_path: stochastic depth rate.
    """

    folds = (("norm1", "conv1"), ("norm2", "mlp.fc1"))

    def __init__(self, width: int, *, mlp_ratio: float, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.pos_embed = depthwise(width, 3)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv1 = pointwise(width, width)
        self.conv2 = pointwise(width, width)
        self.attn = depthwise(width, 5)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.BatchNorm3d(width)
        self.mlp = Mlp(width, int(width * mlp_ratio), dropout=dropout, layer=pointwise)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the same shape."""
        x_BCTHW = x_BCTHW + self.pos_embed(x_BCTHW)
        x_BCTHW = x_BCTHW + self.drop_path(self.conv2(self.attn(self.conv1(self.norm1(x_BCTHW)))))
        return x_BCTHW + self.drop_path(self.mlp(self.norm2(x_BCTHW)))


class Attention(nn.Module):
    """Self-attention with one projection for query, key and value.

    Args:
        width: token width D.
        heads: number of heads.
        qkv_bias: bias of the query, key, value projection.
        scale: factor on the products; None: (D / heads) ** -0.5.
        dropout: dropout after the output projection.
        attention_dropout: dropout of the attention weights.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        qkv_bias: bool = True,
        scale: float | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = heads
        self.scale = scale or (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attention_dropout)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return (B, N, D)."""
        q_BLNE, k_BLNE, v_BLNE = self.qkv(x_BND).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attn_drop.p if self.training else 0.0
        y_BLNE = F.scaled_dot_product_attention(q_BLNE, k_BLNE, v_BLNE, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(y_BLNE.transpose(1, 2).flatten(2)))


class AttentionBlock(nn.Module):
    """Global relations: positions, joint space-time attention and an MLP (section 3.2).

    Args:
        width: channels.
        heads: number of heads.
        mlp_ratio: hidden width of the MLP over width.
        qkv_bias: bias of the query, key, value projection.
        qkv_scale: factor on the products, or None.
        dropout: dropout of projection and MLP.
        attention_dropout: dropout of the attention weights.
        drop_path: stochastic depth rate.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        qkv_scale: float | None,
        dropout: float,
        attention_dropout: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        shared = dict(qkv_bias=qkv_bias, scale=qkv_scale, dropout=dropout, attention_dropout=attention_dropout)
        self.pos_embed = depthwise(width, 3)
        self._add_time_attention(width, heads, shared)
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, **shared)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, int(width * mlp_ratio), dropout=dropout)

    def _add_time_attention(self, width: int, heads: int, shared: dict) -> None:
        """Add nothing here; the divided form registers its time attention at this place."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the same shape."""
        x_BCTHW = x_BCTHW + self.pos_embed(x_BCTHW)
        x_BTHWC = self.mix_tokens(x_BCTHW.permute(0, 2, 3, 4, 1))
        return x_BTHWC.permute(0, 4, 1, 2, 3)

    def mix_tokens(self, x_BTHWC: Tensor) -> Tensor:
        """Return the same shape after attention over all positions and the MLP."""
        x_BNC = x_BTHWC.flatten(1, 3)
        x_BNC = x_BNC + self.drop_path(self.attn(self.norm1(x_BNC)))
        x_BNC = x_BNC + self.drop_path(self.mlp(self.norm2(x_BNC)))
        return x_BNC.view(x_BTHWC.shape)


class DividedAttentionBlock(AttentionBlock):
    """Attention over time at each position, then over space in each frame (option SPLIT).

    The result of the time attention feeds the space attention, whose shortcut is the block's own input.
    """

    def _add_time_attention(self, width: int, heads: int, shared: dict) -> None:
        self.t_norm = nn.LayerNorm(width, eps=1e-6)
        self.t_attn = Attention(width, heads, **shared)

    def mix_tokens(self, x_BTHWC: Tensor) -> Tensor:
        """Return the same shape after both attentions and the MLP."""
        batch, frames, height, width, channels = x_BTHWC.shape
        x_BTSC = x_BTHWC.reshape(batch, frames, height * width, channels)
        moved_MTC = x_BTSC.transpose(1, 2).reshape(-1, frames, channels)
        moved_MTC = moved_MTC + self.drop_path(self.t_attn(self.t_norm(moved_MTC)))
        moved_MSC = moved_MTC.view(batch, height * width, frames, channels).transpose(1, 2).flatten(0, 1)
        y_MSC = x_BTSC.flatten(0, 1) + self.drop_path(self.attn(self.norm1(moved_MSC)))
        y_BNC = y_MSC.reshape(batch, -1, channels)
        y_BNC = y_BNC + self.drop_path(self.mlp(self.norm2(y_BNC)))
        return y_BNC.view(x_BTHWC.shape)


@NETWORKS.register("uniformer")
class UniFormer(Network):
    """Clips to logits.

    Args:
        num_classes: K.
        depth: blocks of the four stages.
        embed_dim: widths of the four stages.
        head_dim: width of one attention head.
        mlp_ratio: hidden width of the MLPs over width.
        qkv_bias: bias of the query, key, value projections.
        qkv_scale: factor on the attention products; None: head_dim ** -0.5.
        dropout: dropout of projections and MLPs.
        attention_dropout: dropout of the attention weights.
        drop_path_rate: stochastic depth of the last block, linear from 0.
        split: divided time and space attention.
        overlapping_patches: 3x2x2 kernels in patch embeddings 2 to 4 (option STD).

    Raises:
        InputError: four stages are not given or a width is no multiple of `head_dim`.
    """

    exact_modules = ("patch_embed1.proj", "patch_embed2.proj", "patch_embed3.proj", "patch_embed4.proj")

    def __init__(
        self,
        *,
        num_classes: int,
        depth: tuple[int, ...] = (5, 8, 20, 7),
        embed_dim: tuple[int, ...] = (64, 128, 320, 512),
        head_dim: int = 64,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        qkv_scale: float | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        drop_path_rate: float = 0.0,
        split: bool = False,
        overlapping_patches: bool = False,
    ) -> None:
        super().__init__()
        _check_stages(depth, embed_dim, head_dim)
        stem = dict(kernel_size=(3, 4, 4), stride=(2, 4, 4), padding=(1, 0, 0))
        time = 3 if overlapping_patches else 1
        reduce = dict(kernel_size=(time, 2, 2), stride=(1, 2, 2), padding=(time // 2, 0, 0))
        widths = (3, *embed_dim)
        for stage in range(4):
            patch_embed = PatchEmbed(widths[stage], widths[stage + 1], **(reduce if stage else stem))
            self.add_module(f"patch_embed{stage + 1}", patch_embed)
        self.pos_drop = nn.Dropout(dropout)
        rates = iter(drop_path_rates(drop_path_rate, sum(depth)))
        tokens = dict(qkv_bias=qkv_bias, qkv_scale=qkv_scale, attention_dropout=attention_dropout)
        for stage in range(4):
            width, blocks = embed_dim[stage], []
            for _ in range(depth[stage]):
                shared = dict(mlp_ratio=mlp_ratio, dropout=dropout, drop_path=next(rates))
                if stage < 2:
                    blocks.append(ConvBlock(width, **shared))
                else:
                    block = DividedAttentionBlock if split else AttentionBlock
                    blocks.append(block(width, heads=width // head_dim, **tokens, **shared))
            self.add_module(f"blocks{stage + 1}", nn.ModuleList(blocks))
        self.norm = nn.BatchNorm3d(embed_dim[-1])
        self.head = nn.Linear(embed_dim[-1], num_classes)
        self.apply(init_transformer_weights)

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "UniFormer":
        """Build the network that a configuration describes."""
        keys = cfg.UNIFORMER
        return cls(
            num_classes=cfg.MODEL.NUM_CLASSES,
            depth=tuple(keys.DEPTH),
            embed_dim=tuple(keys.EMBED_DIM),
            head_dim=keys.HEAD_DIM,
            mlp_ratio=keys.MLP_RATIO,
            qkv_bias=keys.QKV_BIAS,
            qkv_scale=keys.QKV_SCALE,
            dropout=keys.DROPOUT_RATE,
            attention_dropout=keys.ATTENTION_DROPOUT_RATE,
            drop_path_rate=keys.DROP_DEPTH_RATE,
            split=keys.SPLIT,
            overlapping_patches=keys.STD,
        )

    def blocks_to_checkpoint(self, counts: Sequence[int]) -> list[nn.Module]:
        """Return the first blocks of each stage, as many as its count."""
        if len(counts) != 4:
            raise InputError(f"MODEL.CHECKPOINT_NUM has {len(counts)} values, four stages need four")
        return [block for stage, count in enumerate(counts) for block in self.stage(stage)[:count]]

    def stage(self, index: int) -> nn.ModuleList:
        """Return the blocks of stage `index` (0 to 3)."""
        return getattr(self, f"blocks{index + 1}")

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled features (B, D) of normalised RGB clips (B, 3, T, H, W)."""
        x_BCTHW = clips_BCTHW
        for stage in range(4):
            x_BCTHW = getattr(self, f"patch_embed{stage + 1}")(x_BCTHW)
            x_BCTHW = self.pos_drop(x_BCTHW) if stage == 0 else x_BCTHW
            for block in self.stage(stage):
                x_BCTHW = block(x_BCTHW)
        return self.norm(x_BCTHW).mean((2, 3, 4))


def _check_stages(depth: Sequence[int], embed_dim: Sequence[int], head_dim: int) -> None:
    """Refuse settings that do not describe four stages."""
    for key, value in (("DEPTH", depth), ("EMBED_DIM", embed_dim)):
        if len(value) != 4:
            raise InputError(f"UNIFORMER.{key} has {len(value)} values, four stages need four")
    for width in embed_dim[2:]:
        if width % head_dim:
            raise InputError(f"UNIFORMER.EMBED_DIM {width} is no multiple of UNIFORMER.HEAD_DIM {head_dim}")
