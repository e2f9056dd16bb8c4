"""torchvision's video networks, under torchvision's own names.

MViT (Fan et al., ICCV 2021; Li et al., CVPR 2022), Video Swin (Liu et al., CVPR 2022), S3D (Xie et al., ECCV 2018) and
R(2+1)D, R3D, MC3 (Tran et al., CVPR 2018).
Legend: B batch, C channels, T frames, H W, N tokens, D width, K classes.
"""

from collections.abc import Sequence

from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.library import IMAGENET, LibraryNetwork, Stated, check_clips, data_colours
from slowfast.models.network import NETWORKS
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

_GREY = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
_KINETICS = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
_LICENCE = "BSD-3-Clause (library); weights trained on Kinetics-400"
# name: (frames, size, colours, only these clips work).
_NETWORKS = {
    "mvit_v1_b": (16, 224, _GREY, True),
    "mvit_v2_s": (16, 224, _GREY, True),
    "swin3d_t": (32, 224, IMAGENET, False),
    "swin3d_s": (32, 224, IMAGENET, False),
    "swin3d_b": (32, 224, IMAGENET, False),
    "s3d": (128, 224, _KINETICS, False),
    "r2plus1d_18": (16, 112, _KINETICS, False),
    "r3d_18": (16, 112, _KINETICS, False),
    "mc3_18": (16, 112, _KINETICS, False),
}
# Less does not reach the end of S3D: its last pooling looks at 2 x 7 x 7 values of a grid 8 x 32 x 32 times coarser.
_S3D_LEAST = (13, 209)
# The library's class: its last layer.
_CLASSIFIERS = {"MViT": "head", "SwinTransformer3d": "head", "S3D": "classifier", "VideoResNet": "fc"}


@NETWORKS.register("torchvision")
class TorchvisionVideo(LibraryNetwork):
    """A network of `torchvision.models.video`.

    Args:
        net: the library's network; its modules are taken over.
        stated: what it says about itself.
        data: (DATA.MEAN, DATA.STD) that the clips come with.
        attentive: a new attentive pooler in place of the library's pooling (MODEL.HEAD attentive).
    """

    def __init__(
        self, net: nn.Module, stated: Stated, *, data: tuple[Sequence[float], ...], attentive: bool = False
    ) -> None:
        kind = type(net).__name__
        name = _CLASSIFIERS[kind]
        last = [layer for layer in getattr(net, name).modules() if isinstance(layer, (nn.Linear, nn.Conv3d))][-1]
        width = last.weight.shape[1]
        super().__init__(stated, data=data, attentive_width=width if attentive else 0, classifier=name)
        self.adopt(net)
        self._kind = kind
        if kind == "MViT":
            self.head[0].inplace = False  # the features stay what they are

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "TorchvisionVideo":
        """Build the network that MODEL.BACKBONE names.

        Raises:
            InputError: an unknown name, or clips that it does not take.
        """
        name = cfg.MODEL.BACKBONE
        if name not in _NETWORKS:
            there = bool(name) and repo_path(name).exists()
            hint = "; a file of weights is TRAIN.CHECKPOINT_FILE_PATH" if there else ""
            raise InputError(
                f"MODEL.BACKBONE is {name!r}, one of {', '.join(_NETWORKS)} is needed for torchvision{hint}"
            )
        frames, size, (mean, std), fixed = _NETWORKS[name]
        stated = Stated(name, frames, size, mean, std, _LICENCE, fixed, fixed)
        least = min(cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE)
        if name == "s3d" and (_S3D_LEAST[0] > cfg.DATA.NUM_FRAMES or least < _S3D_LEAST[1]):
            raise InputError(
                f"MODEL.BACKBONE s3d takes clips from {_S3D_LEAST[0]} frames and {_S3D_LEAST[1]} pixels on, not "
                f"{cfg.DATA.NUM_FRAMES} frames of {least}: raise DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE, "
                "DATA.TEST_CROP_SIZE"
            )
        check_clips(cfg, stated)
        from torchvision.models import video

        net = getattr(video, name)(num_classes=cfg.MODEL.NUM_CLASSES)
        return cls(net, stated, data=data_colours(cfg), attentive=cfg.MODEL.HEAD == "attentive")

    def tokens(self, clips_BCTHW: Tensor) -> Tensor:
        """Return what is pooled, (B, N, D), for clips in the network's own colours."""
        if self._kind == "MViT":
            return self._mvit(clips_BCTHW)
        if self._kind == "SwinTransformer3d":
            x_BTHWD = self.features(self.pos_drop(self.patch_embed(clips_BCTHW)))
            return self.norm(x_BTHWD).flatten(1, 3)
        if self._kind == "S3D":  # what its sliding average leaves
            x_BDTHW = self.avgpool(self.features(clips_BCTHW))
        else:
            x_BDTHW = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(clips_BCTHW)))))
        return x_BDTHW.flatten(2).transpose(1, 2)

    def _mvit(self, clips_BCTHW: Tensor) -> Tensor:
        """Return all tokens, the class token first."""
        x_BND = self.pos_encoding(self.conv_proj(clips_BCTHW).flatten(2).transpose(1, 2))
        size = (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)
        for block in self.blocks:
            x_BND, size = block(x_BND, size)
        return self.norm(x_BND)

    def pool(self, tokens_BND: Tensor) -> Tensor:
        """Return (B, D): MViT's class token, else the mean."""
        return tokens_BND[:, 0] if self._kind == "MViT" else tokens_BND.mean(1)

    def blocks_to_checkpoint(self, counts: Sequence[int]) -> Sequence[nn.Module]:
        """Return the blocks of the trunk, at whatever depth its stages hold them."""
        stages = [stage for name, stage in self.named_children() if f"{name}." not in self.head_names]
        return [block for stage in stages for block in _blocks(stage)]

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return the logits (B, K); S3D's classifier is a convolution, taken here behind the mean instead of before."""
        if self._kind == "S3D":
            return super().forward_head(features_BD[:, :, None, None, None]).flatten(1)
        return super().forward_head(features_BD)


def _blocks(stage: nn.Module) -> list[nn.Module]:
    """Return the outermost modules inside lists of modules that consist of several ones."""
    if not isinstance(stage, (nn.Sequential, nn.ModuleList)):
        return [stage] if any(True for _ in stage.children()) else []
    return [block for inner in stage for block in _blocks(inner)]
