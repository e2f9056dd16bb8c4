"""VideoMAE: a plain vision transformer on tubelets, as fine-tuned and as used for features.

Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video Pre-Training",
NeurIPS 2022. ViT-S/B/L/H differ only in width, depth and heads.
Legend: B batch, C channels, T frames, H W, N tokens, D width, L heads, E width of one head, K classes.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.layers import DropPath, Mlp, drop_path_rates, init_transformer_weights
from slowfast.models.network import NETWORKS, Network
from slowfast.utils.errors import InputError


def sine_table(tokens: int, width: int) -> Tensor:
    """Return fixed positions (1, N, D): sine in even, cosine in odd columns (Vaswani et al. 2017, section 3.5)."""
    column_D = torch.arange(width, device="cpu")
    rate_D = torch.pow(torch.tensor(10000.0, dtype=torch.float64, device="cpu"), 2 * (column_D // 2).double() / width)
    angle_ND = torch.arange(tokens, dtype=torch.float64, device="cpu")[:, None] / rate_D
    return torch.where(column_D % 2 == 0, angle_ND.sin(), angle_ND.cos()).float()[None]


class PatchEmbed(nn.Module):
    """Convolution that turns every tubelet into a token.

    Args:
        width: token width D.
        patch_size: side of a tubelet in pixels.
        tubelet_size: frames of a tubelet.
    """

    def __init__(self, width: int, *, patch_size: int, tubelet_size: int) -> None:
        super().__init__()
        size = (tubelet_size, patch_size, patch_size)
        self.proj = nn.Conv3d(3, width, size, stride=size)

    def forward(self, clips_BCTHW: Tensor) -> Tensor:
        """Return tokens (B, N, D), time major."""
        return self.proj(clips_BCTHW).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention; query and value have a bias, the key has none.

    Args:
        width: token width D.
        heads: number of heads.
        qkv_bias: biases of query and value.
    """

    def __init__(self, width: int, heads: int, *, qkv_bias: bool) -> None:
        super().__init__()
        self.num_heads = heads
        self.scale = (width // heads) ** -0.5
        self.q_bias = nn.Parameter(torch.zeros(width)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(width)) if qkv_bias else None
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return (B, N, D)."""
        qkv_BNM = self.qkv(x_BND)
        if self.q_bias is not None:
            qkv_BNM = qkv_BNM + torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        q_BLNE, k_BLNE, v_BLNE = qkv_BNM.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        y_BLNE = F.scaled_dot_product_attention(q_BLNE, k_BLNE, v_BLNE, scale=self.scale)
        return self.proj(y_BLNE.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and MLP, pre-norm, with optional layer scale (Touvron et al. 2021).

    Args:
        width: token width D.
        heads: number of heads.
        mlp_ratio: hidden width of the MLP over width.
        qkv_bias: biases of query and value.
        init_values: initial layer scale; 0 switches it off.
        drop_path: stochastic depth rate.
    """

    def __init__(
        self, width: int, *, heads: int, mlp_ratio: float, qkv_bias: bool, init_values: float, drop_path: float
    ) -> None:
        super().__init__()
        self.gamma_1 = nn.Parameter(torch.full((width,), float(init_values))) if init_values > 0 else None
        self.gamma_2 = nn.Parameter(torch.full((width,), float(init_values))) if init_values > 0 else None
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, qkv_bias=qkv_bias)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, round(width * mlp_ratio))

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return (B, N, D)."""
        y_BND = self.attn(self.norm1(x_BND))
        x_BND = x_BND + self.drop_path(y_BND if self.gamma_1 is None else self.gamma_1 * y_BND)
        y_BND = self.mlp(self.norm2(x_BND))
        return x_BND + self.drop_path(y_BND if self.gamma_2 is None else self.gamma_2 * y_BND)


@NETWORKS.register("videomae")
class VideoMAE(Network):
    """Clips to logits.

    Args:
        num_classes: K.
        num_frames: frames T of a clip.
        crop_size: side H = W of a clip in pixels.
        embed_dim: width D.
        depth: number of blocks.
        num_heads: attention heads.
        mlp_ratio: hidden width of the MLPs over width.
        patch_size: side of a tubelet in pixels.
        tubelet_size: frames of a tubelet.
        qkv_bias: biases of query and value.
        init_values: initial layer scale; 0 switches it off.
        init_scale: factor on the initial head.
        mean_pooling: classify the mean token instead of the first one.
        learnable_positions: learned positions instead of the fixed table. As in the published network they are
            detached where they are added and keep the values of the checkpoint.
        drop_path_rate: stochastic depth of the last block, linear from 0.
        head_dropout: dropout before the head.

    Raises:
        InputError: sizes that do not divide.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        num_frames: int = 16,
        crop_size: int = 224,
        embed_dim: int = 1024,
        depth: int = 24,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        patch_size: int = 16,
        tubelet_size: int = 2,
        qkv_bias: bool = True,
        init_values: float = 0.0,
        init_scale: float = 0.001,
        mean_pooling: bool = True,
        learnable_positions: bool = False,
        drop_path_rate: float = 0.0,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise InputError(f"VIDEOMAE.EMBED_DIM {embed_dim} is no multiple of VIDEOMAE.NUM_HEADS {num_heads}")
        self.patch_size, self.tubelet_size = patch_size, tubelet_size
        tokens = self.count_tokens((num_frames, crop_size, crop_size))
        side = crop_size // patch_size
        self.grid = (num_frames // tubelet_size, side, side)
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, embed_dim)) if learnable_positions else None
        # Neither parameter nor buffer: published checkpoints do not hold it.
        self.table = None if learnable_positions else sine_table(tokens, embed_dim)
        self.patch_embed = PatchEmbed(embed_dim, patch_size=patch_size, tubelet_size=tubelet_size)
        settings = dict(heads=num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, init_values=init_values)
        rates = drop_path_rates(drop_path_rate, depth)
        self.blocks = nn.ModuleList(Block(embed_dim, **settings, drop_path=rate) for rate in rates)
        self.norm = None if mean_pooling else nn.LayerNorm(embed_dim, eps=1e-6)
        self.fc_norm = nn.LayerNorm(embed_dim, eps=1e-6) if mean_pooling else None
        self.fc_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(embed_dim, num_classes)
        self._init_weights(init_scale)

    def _init_weights(self, head_scale: float) -> None:
        """Initialise positions and Linear layers; the patch convolution keeps the library's default."""
        if self.pos_embed is not None:
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(init_transformer_weights)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)
            self.head.bias.mul_(head_scale)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "VideoMAE":
        """Move or cast the fixed positions together with the parameters."""
        self.table = None if self.table is None else fn(self.table)
        return super()._apply(fn, recurse)

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "VideoMAE":
        """Build the network that a configuration describes."""
        keys = cfg.VIDEOMAE
        return cls(
            num_classes=cfg.MODEL.NUM_CLASSES,
            num_frames=cfg.DATA.NUM_FRAMES,
            crop_size=cfg.DATA.TRAIN_CROP_SIZE,
            embed_dim=keys.EMBED_DIM,
            depth=keys.DEPTH,
            num_heads=keys.NUM_HEADS,
            mlp_ratio=keys.MLP_RATIO,
            patch_size=keys.PATCH_SIZE,
            tubelet_size=keys.TUBELET_SIZE,
            qkv_bias=keys.QKV_BIAS,
            init_values=keys.INIT_VALUES,
            init_scale=keys.INIT_SCALE,
            mean_pooling=keys.USE_MEAN_POOLING,
            learnable_positions=keys.LEARNABLE_POS_EMBED,
            drop_path_rate=keys.DROP_PATH_RATE,
            head_dropout=keys.FC_DROPOUT_RATE,
        )

    def position_grids(self) -> dict[str, tuple[tuple[int, int, int], int]]:
        """Return {parameter: (token grid, rows before it)} of the learned positions."""
        return {} if self.pos_embed is None else {"pos_embed": (self.grid, 0)}

    def count_tokens(self, size: tuple[int, int, int]) -> int:
        """Return the number of tokens N of clips of a size (T, H, W).

        Raises:
            InputError: the size is no multiple of the tubelets.
        """
        frames, height, width = size
        if frames % self.tubelet_size or height % self.patch_size or width % self.patch_size:
            tubelet = f"{self.tubelet_size}x{self.patch_size}x{self.patch_size}"
            raise InputError(f"clips of {tuple(size)} (T, H, W) cannot be cut into tubelets of {tubelet}")
        return (frames // self.tubelet_size) * (height // self.patch_size) * (width // self.patch_size)

    def positions(self, x_BND: Tensor) -> Tensor:
        """Return the positions (1, N, D) for tokens (B, N, D).

        Raises:
            InputError: learned positions for another number of tokens.
        """
        tokens, width = x_BND.shape[1:]
        if self.pos_embed is None:
            return (self.table if self.table.shape[1] == tokens else sine_table(tokens, width)).to(x_BND)
        if self.pos_embed.shape[1] != tokens:
            raise InputError(f"the learned positions are for {self.pos_embed.shape[1]} tokens, the clip has {tokens}")
        return self.pos_embed.detach().to(x_BND.dtype)

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled features (B, D) of normalised RGB clips (B, 3, T, H, W).

        The fixed table follows the number of tokens, so other frame counts and sizes than the configured work.
        """
        self.count_tokens(tuple(clips_BCTHW.shape[2:]))
        x_BND = self.patch_embed(clips_BCTHW)
        x_BND = x_BND + self.positions(x_BND)
        for block in self.blocks:
            x_BND = block(x_BND)
        return self.norm(x_BND)[:, 0] if self.fc_norm is None else self.fc_norm(x_BND.mean(1))

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return the logits (B, K) of pooled features."""
        return self.head(self.fc_dropout(features_BD))
