"""MViT: attention with pooled queries, keys and values, so that resolution falls while width grows.

Fan et al., "Multiscale Vision Transformers", ICCV 2021; MViT-B 32x3 is 24 blocks on 32 frames.
Differences to the paper's later versions: no relative positions, no residual of the pooled queries.
Legend: B batch, C channels, T frames, H W, N tokens, D width, L heads, E width of one head, K classes.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.layers import DropPath, Mlp, drop_path_rates, init_transformer_weights
from slowfast.models.network import NETWORKS, Network, Size
from slowfast.utils.errors import InputError


class PatchEmbed(nn.Module):
    """Strided convolution to tokens.

    Args:
        width: token width D.
        kernel_size: (T, H, W).
        stride: (T, H, W).
        padding: (T, H, W).
    """

    def __init__(self, width: int, *, kernel_size: Size, stride: Size, padding: Size) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, kernel_size, stride=stride, padding=padding)

    def forward(self, clips_BCTHW: Tensor) -> Tensor:
        """Return tokens (B, N, D), time major."""
        return self.proj(clips_BCTHW).flatten(2).transpose(1, 2)

    def grid(self, size: Size) -> Size:
        """Return the token grid (T, H, W) of clips of a size (T, H, W)."""
        proj = self.proj
        return tuple((n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, proj.padding, proj.kernel_size, proj.stride))


class PooledAttention(nn.Module):
    """Self-attention whose queries, keys and values are pooled by depthwise convolutions (section 3.1).

    All heads share a filter per head channel; the class token skips the convolution, not the norm after it.

    Args:
        width: token width D.
        heads: number of heads L.
        qkv_bias: bias of the query, key, value projection.
        dropout: dropout after the output projection.
        class_token: the first token has no place in the grid.
        pool_q: (kernel, stride) of the query pooling, or None.
        pool_kv: (kernel, stride) of the key and value poolings, or None.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        qkv_bias: bool,
        dropout: float,
        class_token: bool,
        pool_q: tuple[Size, Size] | None,
        pool_kv: tuple[Size, Size] | None,
    ) -> None:
        super().__init__()
        self.num_heads, self.class_token = heads, class_token
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)
        for name, pool in (("q", pool_q), ("k", pool_kv), ("v", pool_kv)):
            conv = None if pool is None else _pooling(width // heads, *pool)
            self.add_module(f"pool_{name}", conv)
            self.add_module(f"norm_{name}", None if pool is None else nn.LayerNorm(width // heads))

    def forward(self, x_BND: Tensor, grid: Size) -> tuple[Tensor, Size]:
        """Return (B, N', D) and the grid of the pooled queries."""
        batch, tokens, _ = x_BND.shape
        q_BNLE, k_BNLE, v_BNLE = self.qkv(x_BND).view(batch, tokens, 3, self.num_heads, -1).unbind(2)
        q_BLNE, grid_out = self._pool(q_BNLE, grid, self.pool_q, self.norm_q)
        k_BLNE, _ = self._pool(k_BNLE, grid, self.pool_k, self.norm_k)
        v_BLNE, _ = self._pool(v_BNLE, grid, self.pool_v, self.norm_v)
        y_BLNE = F.scaled_dot_product_attention(q_BLNE, k_BLNE, v_BLNE, scale=self.scale)
        return self.proj_drop(self.proj(y_BLNE.transpose(1, 2).flatten(2))), grid_out

    def _pool(self, x_BNLE: Tensor, grid: Size, pool: nn.Module | None, norm: nn.Module | None) -> tuple[Tensor, Size]:
        """Return the pooled tokens (B, L, N', E) and their grid."""
        if pool is None:
            return x_BNLE.transpose(1, 2), grid
        first = int(self.class_token)
        batch, _, heads, width = x_BNLE.shape
        x_BLNE = x_BNLE[:, first:].transpose(1, 2)
        x_MTHWE = x_BLNE.reshape(batch * heads, *grid, width)
        y_MTHWE = pool(x_MTHWE.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        grid_out = tuple(y_MTHWE.shape[1:4])
        y_BLNE = y_MTHWE.reshape(batch, heads, -1, width)
        if first:
            y_BLNE = torch.cat((x_BNLE[:, :first].transpose(1, 2), y_BLNE), dim=2)
        return norm(y_BLNE), grid_out


def _pooling(width: int, kernel: Size, stride: Size) -> nn.Conv3d:
    """Return the depthwise convolution of a pooling."""
    padding = tuple(k // 2 for k in kernel)
    return nn.Conv3d(width, width, kernel, stride=stride, padding=padding, groups=width, bias=False)


class Block(nn.Module):
    """Pooled attention and an MLP, which may widen the tokens.

    Args:
        width: token width D of the input.
        width_out: token width of the output.
        heads: number of heads.
        mlp_ratio: hidden width of the MLP over `width`.
        qkv_bias: bias of the query, key, value projection.
        dropout: dropout of projection and MLP.
        drop_path: stochastic depth rate.
        class_token: the first token has no place in the grid.
        pool_q: (kernel, stride) of the query pooling, or None.
        pool_kv: (kernel, stride) of the key and value poolings, or None.
    """

    def __init__(
        self,
        width: int,
        width_out: int,
        *,
        heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        dropout: float,
        drop_path: float,
        class_token: bool,
        pool_q: tuple[Size, Size] | None,
        pool_kv: tuple[Size, Size] | None,
    ) -> None:
        super().__init__()
        self.class_token = class_token
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = PooledAttention(
            width, heads, qkv_bias=qkv_bias, dropout=dropout, class_token=class_token, pool_q=pool_q, pool_kv=pool_kv
        )
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, int(width * mlp_ratio), width_out=width_out, dropout=dropout)
        self.proj = nn.Linear(width, width_out) if width_out != width else None
        stride = pool_q[1] if pool_q else (1, 1, 1)
        kernel = tuple(s + 1 if s > 1 else 1 for s in stride)
        pool_skip = nn.MaxPool3d(kernel, stride, padding=tuple(k // 2 for k in kernel))
        self.pool_skip = pool_skip if math.prod(stride) > 1 else None

    def forward(self, x_BND: Tensor, grid: Size) -> tuple[Tensor, Size]:
        """Return tokens (B, N', D') and their grid."""
        y_BND, grid_out = self.attn(self.norm1(x_BND), grid)
        x_BND = self._skip(x_BND, grid) + self.drop_path(y_BND)
        normed_BND = self.norm2(x_BND)
        shortcut_BND = x_BND if self.proj is None else self.proj(normed_BND)
        return shortcut_BND + self.drop_path(self.mlp(normed_BND)), grid_out

    def _skip(self, x_BND: Tensor, grid: Size) -> Tensor:
        """Return the shortcut, max-pooled where the queries are pooled."""
        if self.pool_skip is None:
            return x_BND
        first = int(self.class_token)
        x_BDTHW = x_BND[:, first:].unflatten(1, grid).permute(0, 4, 1, 2, 3)
        y_BND = self.pool_skip(x_BDTHW).flatten(2).transpose(1, 2)
        return torch.cat((x_BND[:, :first], y_BND), dim=1) if first else y_BND


@NETWORKS.register("mvit")
class MViT(Network):
    """Clips to logits; the defaults are MViT-B 32x3.

    Args:
        num_classes: K.
        num_frames: frames T of a clip.
        crop_size: side H = W of a clip in pixels.
        embed_dim: width of the first block.
        depth: number of blocks.
        num_heads: heads of the first block.
        mlp_ratio: hidden width of the MLPs over width.
        qkv_bias: bias of the query, key, value projections.
        class_token: classify a class token instead of the mean token.
        separate_positions: positions of space and time are learned apart.
        patch_kernel: (T, H, W) of the patch embedding.
        patch_stride: (T, H, W) of the patch embedding.
        patch_padding: (T, H, W) of the patch embedding.
        dim_mul: [block, factor]: the block starts with a width multiplied by the factor.
        head_mul: [block, factor]: the block has its heads multiplied by the factor.
        pool_q_stride: [block, t, h, w] of blocks that pool their queries.
        pool_kv_stride: [block, t, h, w] of blocks that pool keys and values.
        pool_kv_stride_adaptive: stride of keys and values before any query pooling, instead of `pool_kv_stride`.
        pool_kernel: kernel of all poolings; None: stride + 1 where the stride is above 1.
        dropout: dropout of positions, projections and MLPs.
        drop_path_rate: stochastic depth of the last block, linear from 0.
        head_dropout: dropout before the head.
        neck_bn: BatchNorm between pooling and head.
        init_residual_scale: factor on the initial output weights of attention and MLP.

    Raises:
        InputError: the key and value strides are given twice.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        num_frames: int = 32,
        crop_size: int = 224,
        embed_dim: int = 96,
        depth: int = 24,
        num_heads: int = 1,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        class_token: bool = True,
        separate_positions: bool = True,
        patch_kernel: Size = (3, 7, 7),
        patch_stride: Size = (2, 4, 4),
        patch_padding: Size = (1, 3, 3),
        dim_mul: Sequence[Sequence[float]] = ((2, 2.0), (5, 2.0), (21, 2.0)),
        head_mul: Sequence[Sequence[float]] = ((2, 2.0), (5, 2.0), (21, 2.0)),
        pool_q_stride: Sequence[Sequence[int]] = ((2, 1, 2, 2), (5, 1, 2, 2), (21, 1, 2, 2)),
        pool_kv_stride: Sequence[Sequence[int]] | None = None,
        pool_kv_stride_adaptive: Size | None = (1, 8, 8),
        pool_kernel: Size | None = None,
        dropout: float = 0.0,
        drop_path_rate: float = 0.0,
        head_dropout: float = 0.0,
        neck_bn: bool = False,
        init_residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_frames, self.crop_size = num_frames, crop_size
        self.patch_embed = PatchEmbed(
            embed_dim, kernel_size=tuple(patch_kernel), stride=tuple(patch_stride), padding=tuple(patch_padding)
        )
        self.grid = self.patch_embed.grid((num_frames, crop_size, crop_size))
        self._add_positions(embed_dim, class_token, separate_positions)
        self.pos_drop = nn.Dropout(dropout)
        growth = dict(embed_dim=embed_dim, num_heads=num_heads, dim_mul=dim_mul, head_mul=head_mul)
        pools = dict(q_stride=pool_q_stride, kv_stride=pool_kv_stride, adaptive=pool_kv_stride_adaptive)
        plans = plan_blocks(depth, **growth, **pools, kernel=pool_kernel)
        shared = dict(mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, dropout=dropout, class_token=class_token)
        rates = drop_path_rates(drop_path_rate, depth)
        self.blocks = nn.ModuleList(Block(**plan, **shared, drop_path=rate) for plan, rate in zip(plans, rates))
        width = plans[-1]["width_out"]
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.neck = nn.BatchNorm1d(width) if neck_bn else None
        self.head = nn.Sequential(
            OrderedDict(dropout=nn.Dropout(head_dropout), projection=nn.Linear(width, num_classes))
        )
        self._init_weights(init_residual_scale)

    def _add_positions(self, width: int, class_token: bool, separate: bool) -> None:
        """Add the class token and the position parameters."""
        frames, height, breadth = self.grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.separate_positions = separate
        if not separate:
            self.pos_embed = nn.Parameter(torch.zeros(1, int(class_token) + math.prod(self.grid), width))
            return
        self.pos_embed_spatial = nn.Parameter(torch.zeros(1, height * breadth, width))
        self.pos_embed_temporal = nn.Parameter(torch.zeros(1, frames, width))
        self.pos_embed_class = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None

    def _init_weights(self, residual_scale: float) -> None:
        """Initialise tokens, positions and Linear layers; convolutions keep the library's default."""
        for name, parameter in self.named_parameters(recurse=False):
            if name.startswith(("cls_token", "pos_embed")):
                nn.init.trunc_normal_(parameter, std=0.02)
        self.apply(init_transformer_weights)
        if residual_scale == 1.0:
            return
        with torch.no_grad():
            for block in self.blocks:
                block.attn.proj.weight.mul_(residual_scale)
                block.mlp.fc2.weight.mul_(residual_scale)

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "MViT":
        """Build the network that a configuration describes."""
        keys = cfg.MVIT
        return cls(
            num_classes=cfg.MODEL.NUM_CLASSES,
            num_frames=cfg.DATA.NUM_FRAMES,
            crop_size=cfg.DATA.TRAIN_CROP_SIZE,
            embed_dim=keys.EMBED_DIM,
            depth=keys.DEPTH,
            num_heads=keys.NUM_HEADS,
            mlp_ratio=keys.MLP_RATIO,
            qkv_bias=keys.QKV_BIAS,
            class_token=keys.CLS_EMBED_ON,
            separate_positions=keys.SEP_POS_EMBED,
            patch_kernel=tuple(keys.PATCH_KERNEL),
            patch_stride=tuple(keys.PATCH_STRIDE),
            patch_padding=tuple(keys.PATCH_PADDING),
            dim_mul=keys.DIM_MUL,
            head_mul=keys.HEAD_MUL,
            pool_q_stride=keys.POOL_Q_STRIDE,
            pool_kv_stride=keys.POOL_KV_STRIDE,
            pool_kv_stride_adaptive=keys.POOL_KV_STRIDE_ADAPTIVE,
            pool_kernel=keys.POOL_KVQ_KERNEL,
            dropout=keys.DROPOUT_RATE,
            drop_path_rate=keys.DROPPATH_RATE,
            head_dropout=cfg.MODEL.DROPOUT_RATE,
            neck_bn=keys.NECK_BN,
            init_residual_scale=keys.INIT_RESIDUAL_SCALE,
        )

    def position_grids(self) -> dict[str, tuple[Size, int]]:
        """Return {parameter: (token grid, rows before it)} of the learned positions."""
        frames, *space = self.grid
        if not self.separate_positions:
            return {"pos_embed": (self.grid, int(self.cls_token is not None))}
        return {"pos_embed_spatial": ((1, *space), 0), "pos_embed_temporal": ((frames, 1, 1), 0)}

    def positions(self) -> Tensor:
        """Return the positions of all tokens (1, N, D), the class token's first."""
        if not self.separate_positions:
            return self.pos_embed
        frames, height, breadth = self.grid
        space_1ND = self.pos_embed_spatial.repeat(1, frames, 1)
        time_1ND = self.pos_embed_temporal.repeat_interleave(height * breadth, dim=1)
        grid_1ND = space_1ND + time_1ND
        return grid_1ND if self.pos_embed_class is None else torch.cat((self.pos_embed_class, grid_1ND), dim=1)

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled features (B, D) of normalised RGB clips (B, 3, T, H, W).

        Raises:
            InputError: the clips are not of the size that the network was built for.
        """
        expected = (self.num_frames, self.crop_size, self.crop_size)
        if tuple(clips_BCTHW.shape[2:]) != expected:
            raise InputError(f"MViT was built for clips of {expected} (T, H, W), not {tuple(clips_BCTHW.shape[2:])}")
        x_BND = self.patch_embed(clips_BCTHW)
        if self.cls_token is not None:
            x_BND = torch.cat((self.cls_token.expand(len(x_BND), -1, -1), x_BND), dim=1)
        x_BND = self.pos_drop(x_BND + self.positions())
        grid = self.grid
        for block in self.blocks:
            x_BND, grid = block(x_BND, grid)
        x_BND = self.norm(x_BND)
        features_BD = x_BND.mean(1) if self.cls_token is None else x_BND[:, 0]
        return features_BD if self.neck is None else self.neck(features_BD)


def plan_blocks(
    depth: int, *, embed_dim: int, num_heads: int, dim_mul, head_mul, q_stride, kv_stride, adaptive, kernel
) -> list[dict]:
    """Return the widths, heads and poolings of every block as keyword arguments of `Block` (see `MViT`)."""
    if kv_stride and adaptive:
        raise InputError("MVIT.POOL_KV_STRIDE and MVIT.POOL_KV_STRIDE_ADAPTIVE are both set, keep one of them")
    dim_factor = {int(block): factor for block, factor in dim_mul}
    head_factor = {int(block): factor for block, factor in head_mul}
    stride_q = {row[0]: tuple(row[1:]) for row in q_stride}
    stride_kv = {row[0]: tuple(row[1:]) for row in kv_stride or ()}
    running_kv = tuple(adaptive or ())
    width, heads, plans = embed_dim, num_heads, []
    for block in range(depth):
        heads = _multiple(heads, head_factor.get(block, 1.0))
        width_out = _multiple(width, dim_factor.get(block + 1, 1.0), _multiple(heads, head_factor.get(block + 1, 1.0)))
        if running_kv:
            running_kv = tuple(max(kv // q, 1) for kv, q in zip(running_kv, stride_q.get(block, (1, 1, 1))))
            stride_kv[block] = running_kv
        pool_q = _plan_pooling(stride_q.get(block), kernel)
        pool_kv = _plan_pooling(stride_kv.get(block), kernel)
        plans.append(dict(width=width, width_out=width_out, heads=heads, pool_q=pool_q, pool_kv=pool_kv))
        width = width_out
    return plans


def _multiple(value: int, factor: float, divisor: int = 1) -> int:
    """Return value * factor rounded to a multiple of divisor, never below 90 % of the exact product."""
    exact = value * factor
    rounded = max(divisor, int(exact + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * exact else rounded


def _plan_pooling(stride: Size | None, kernel: Size | None) -> tuple[Size, Size] | None:
    """Return (kernel, stride) of a pooling, or None where nothing is pooled."""
    if stride is None:
        return None
    kernel = tuple(kernel) if kernel else tuple(s + 1 if s > 1 else s for s in stride)
    return None if math.prod(kernel) == 1 and math.prod(stride) == 1 else (kernel, stride)
