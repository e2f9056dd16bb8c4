"""SlowFast: a slow path with many channels and a fast path with many frames, joined by lateral convolutions.

Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019, on ResNet-101 bottlenecks. Differences:
the head reads the slow path only, the max pooling has no padding, and the last fast stage is computed (its
BatchNorm statistics belong to the checkpoint) though nothing reads it.
Legend: B batch, C channels, T frames, H W, D feature width, K classes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.network import NETWORKS, Network
from slowfast.utils.errors import InputError

ALPHA = 4  # the slow path sees every fourth frame
EXPANSION = 4  # output over inner channels of a bottleneck
STAGE_STRIDES = (1, 2, 2, 1)
STAGE_DILATIONS = (1, 1, 1, 2)


class FrozenBatchNorm3d(nn.Module):
    """BatchNorm whose weights and statistics are constants.

    Args:
        num_features: channels C.
        eps: added to the variance.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the same shape."""
        return F.batch_norm(x_BCTHW, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel_size: (T, H, W).
        norm: BatchNorm class.
        stride: spatial stride.
        dilation: spatial dilation.
    """

    folds = (("conv", "bn"),)

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel_size: tuple[int, int, int],
        *,
        norm: type[nn.Module],
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        padding = (kernel_size[0] // 2, *(dilation * (k // 2) for k in kernel_size[1:]))
        self.conv = nn.Conv3d(
            channels_in,
            channels_out,
            kernel_size,
            stride=(1, stride, stride),
            padding=padding,
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.bn = norm(channels_out)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, channels_out, T, H', W')."""
        return self.bn(self.conv(x_BCTHW))


class Bottleneck(nn.Module):
    """Three convolutions: reduce (over time where asked), 3x3 in space, expand.

    Args:
        channels_in: channels of the input.
        channels_inner: channels of the two inner convolutions.
        time_kernel: frames of the first convolution.
        stride: spatial stride of the 3x3 convolution.
        dilation: spatial dilation of the 3x3 convolution.
        norm: BatchNorm class.
    """

    def __init__(
        self, channels_in: int, channels_inner: int, *, time_kernel: int, stride: int, dilation: int, norm
    ) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels_in, channels_inner, (time_kernel, 1, 1), norm=norm)
        self.conv2 = ConvNorm(channels_inner, channels_inner, (1, 3, 3), norm=norm, stride=stride, dilation=dilation)
        self.conv3 = ConvNorm(channels_inner, EXPANSION * channels_inner, (1, 1, 1), norm=norm)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, 4 * channels_inner, T, H', W') before the shortcut is added."""
        return self.conv3(self.relu(self.conv2(self.relu(self.conv1(x_BCTHW)))))


class ResidualBlock(nn.Module):
    """Bottleneck plus shortcut.

    Args:
        channels_in: channels of the input.
        channels_inner: channels of the inner convolutions.
        shortcut: project the input instead of passing it on.
        stride: spatial stride.
        settings: further arguments of `Bottleneck`.
    """

    def __init__(self, channels_in: int, channels_inner: int, *, shortcut: bool, stride: int, **settings) -> None:
        super().__init__()
        self.btnk = Bottleneck(channels_in, channels_inner, stride=stride, **settings)
        if shortcut:
            self.shortcut = ConvNorm(
                channels_in, EXPANSION * channels_inner, (1, 1, 1), norm=settings["norm"], stride=stride
            )
        else:
            self.shortcut = None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, 4 * channels_inner, T, H', W')."""
        shortcut_BCTHW = x_BCTHW if self.shortcut is None else self.shortcut(x_BCTHW)
        return self.relu(self.btnk(x_BCTHW).add_(shortcut_BCTHW))


class Lateral(nn.Module):
    """Strided convolution over time that brings fast features to the slow frame rate.

    Args:
        channels: channels of the fast path; twice as many come out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, 2 * channels, (5, 1, 1), stride=(ALPHA, 1, 1), padding=(2, 0, 0))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return (B, 2 C, T / 4, H, W)."""
        return self.conv(x_BCTHW)


class Pathway(nn.Module):
    """One of the two ResNets.

    Args:
        width: channels of the stem.
        extra: channels that join before each stage, over those of the path itself at that place.
        stem_time_kernel: frames of the stem convolution.
        time_kernels: frames of the first convolution of the blocks of each stage.
        depth: blocks of the four stages.
        norm: BatchNorm class.
        lateral: add the convolutions that lead to the other path.
    """

    folds = (("conv1", "bn1"),)

    def __init__(
        self,
        width: int,
        *,
        extra: float,
        stem_time_kernel: int,
        time_kernels: tuple[int, ...],
        depth: tuple[int, ...],
        norm: type[nn.Module],
        lateral: bool,
    ) -> None:
        super().__init__()
        stem = (stem_time_kernel, 7, 7)
        self.conv1 = nn.Conv3d(3, width, stem, stride=(1, 2, 2), padding=tuple(k // 2 for k in stem), bias=False)
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool1 = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2))
        channels, laterals = width, []
        for stage in range(4):
            laterals.append(Lateral(channels))
            inner = width * 2**stage
            blocks = nn.Sequential()
            for index in range(depth[stage]):
                block = ResidualBlock(
                    channels if index else int(channels * (1 + extra)),
                    inner,
                    shortcut=index == 0,
                    stride=1 if index else STAGE_STRIDES[stage],
                    time_kernel=time_kernels[stage],
                    dilation=STAGE_DILATIONS[stage],
                    norm=norm,
                )
                blocks.add_module(f"res_{index}", block)
                channels = EXPANSION * inner
            self.add_module(f"res_nl{stage + 1}", blocks)
        for stage, convolution in enumerate(laterals if lateral else ()):
            self.add_module(f"Tconv{stage + 1}", convolution)
        self.channels_out = channels

    def stem(self, x_BCTHW: Tensor) -> Tensor:
        """Return the features before the first stage (B, width, T, H / 4, W / 4)."""
        return self.maxpool1(self.relu(self.bn1(self.conv1(x_BCTHW))))

    def stage(self, index: int, x_BCTHW: Tensor) -> Tensor:
        """Return the features after stage `index` (0 to 3)."""
        return getattr(self, f"res_nl{index + 1}")(x_BCTHW)

    def to_slow(self, index: int, x_BCTHW: Tensor) -> Tensor:
        """Return the fast features that join the slow path before stage `index`."""
        return getattr(self, f"Tconv{index + 1}")(x_BCTHW)


@NETWORKS.register("sf")
class SlowFast(Network):
    """Clips to logits.

    Args:
        num_classes: K.
        depth: bottlenecks of the four stages.
        width: stem width of the slow path, a multiple of `beta_inv`.
        beta_inv: channels of the slow path over those of the fast path.
        dropout: dropout before the head.
        frozen_bn: BatchNorm with constant weights and statistics.

    Raises:
        InputError: the depth is not four numbers or the width no multiple of `beta_inv`.
    """

    head_names = ("projection.",)
    unused_parameters = True  # those of the last fast stage

    def __init__(
        self,
        *,
        num_classes: int,
        depth: tuple[int, ...] = (3, 4, 23, 3),
        width: int = 64,
        beta_inv: int = 8,
        dropout: float = 0.0,
        frozen_bn: bool = False,
    ) -> None:
        super().__init__()
        if len(depth) != 4 or min(depth) < 1:
            raise InputError(f"SF.DEPTH is {list(depth)}, four numbers of at least 1 are needed")
        if beta_inv < 1:
            raise InputError(f"SF.BETA_INV is {beta_inv}, at least 1 is needed")
        if width % beta_inv or width < beta_inv:
            raise InputError(f"SF.WIDTH is {width}, a multiple of SF.BETA_INV, {beta_inv}, is needed")
        norm = FrozenBatchNorm3d if frozen_bn else nn.BatchNorm3d
        shared = dict(depth=tuple(depth), norm=norm)
        slow_settings = dict(extra=2 / beta_inv, stem_time_kernel=1, time_kernels=(1, 1, 3, 3), lateral=False)
        fast_settings = dict(extra=0, stem_time_kernel=5, time_kernels=(3, 3, 3, 3), lateral=True)
        self.slow = Pathway(width, **slow_settings, **shared)
        self.fast = Pathway(width // beta_inv, **fast_settings, **shared)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(self.slow.channels_out, num_classes)
        self._init_weights()

    def _init_weights(self) -> None:
        """Initialise convolutions for ReLU (fan-in), and the last BatchNorm of every bottleneck with 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, Bottleneck) and isinstance(module.conv3.bn, nn.BatchNorm3d):
                nn.init.zeros_(module.conv3.bn.weight)

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "SlowFast":
        """Build the network that a configuration describes."""
        return cls(
            num_classes=cfg.MODEL.NUM_CLASSES,
            depth=tuple(cfg.SF.DEPTH),
            width=cfg.SF.WIDTH,
            beta_inv=cfg.SF.BETA_INV,
            dropout=cfg.SF.DROPOUT_RATE,
            frozen_bn=cfg.SF.FROZEN_BN,
        )

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled slow features (B, D) of normalised RGB clips (B, 3, T, H, W), T a multiple of 4.

        Raises:
            InputError: T is no multiple of 4.
        """
        if clips_BCTHW.shape[2] % ALPHA:
            raise InputError(f"SlowFast needs clips of a multiple of {ALPHA} frames, not {clips_BCTHW.shape[2]}")
        fast_BCTHW = self.fast.stem(clips_BCTHW)
        slow_BCTHW = self.slow.stem(clips_BCTHW[:, :, ::ALPHA])
        for stage in range(4):
            joined_BCTHW = torch.cat((slow_BCTHW, self.fast.to_slow(stage, fast_BCTHW)), dim=1)
            slow_BCTHW = self.slow.stage(stage, joined_BCTHW)
            if stage < 3:
                fast_BCTHW = self.fast.stage(stage, fast_BCTHW)
        if self.fast.res_nl4 is not None:
            with torch.no_grad():
                self.fast.stage(3, fast_BCTHW)
        return slow_BCTHW.mean((2, 3, 4))

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return the logits (B, K) of pooled features."""
        return self.projection(self.dropout(features_BD))

    def blocks_to_checkpoint(self, counts: Sequence[int]) -> list[nn.Module]:
        """Return the residual blocks of both paths."""
        return [module for module in self.modules() if isinstance(module, ResidualBlock)]

    def drop_idle_branches(self) -> None:
        """Remove the last fast stage, which only keeps statistics."""
        self.fast.res_nl4 = None
