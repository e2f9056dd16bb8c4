"""What networks of other libraries have in common here: their own colours, the clips they take, their head.

Legend: B batch, C channels, T frames, H W, N tokens, D width, K classes.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.heads import AttentivePooler
from slowfast.models.network import Network
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Stated:
    """What a network of a library says about itself.

    Attributes:
        name: network, for messages.
        frames: frames T of its clips.
        size: side H = W of its clips in pixels.
        mean: subtracted from RGB values in 0..1.
        std: divisor after that.
        licence: licence of the published weights, as far as it is stated.
        fixed_frames: no other number of frames works.
        fixed_size: no other size works.
    """

    name: str
    frames: int
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    licence: str
    fixed_frames: bool = False
    fixed_size: bool = False


class Recolour(nn.Module):
    """Clips normalised with one mean and standard deviation as if they had been with another.

    Args:
        given: (mean, std) of the clips that come, per channel.
        wanted: (mean, std) that the network was trained with.
    """

    def __init__(self, given: tuple[Sequence[float], ...], wanted: tuple[Sequence[float], ...]) -> None:
        super().__init__()
        factor = [g / w for g, w in zip(given[1], wanted[1])]
        shift = [(g - w) / std for g, w, std in zip(given[0], wanted[0], wanted[1])]
        self.same = all(math.isclose(f, 1, abs_tol=1e-6) for f in factor) and not any(abs(s) > 1e-6 for s in shift)
        self.register_buffer("factor", torch.tensor(factor).view(3, 1, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(3, 1, 1, 1), persistent=False)

    def forward(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the same shape."""
        return clips_BCTHW if self.same else clips_BCTHW * self.factor + self.shift


class LibraryNetwork(Network):
    """A library's own modules, under the library's own names, behind this project's interface.

    Subclasses adopt the modules of the library's network, give `tokens` and `pool`, and name the classifier.

    Args:
        stated: what the network says about itself.
        data: (DATA.MEAN, DATA.STD) that the clips come with.
        attentive_width: token width of a new attentive pooler (MODEL.HEAD attentive); 0: the library's own pooling.
        classifier: attribute of the last layer.
    """

    smallest_share = 1.0  # what a file lacks outside the head would be random

    def __init__(
        self, stated: Stated, *, data: tuple[Sequence[float], ...], attentive_width: int = 0, classifier: str
    ) -> None:
        super().__init__()
        self.stated, self.frames, self.size = stated, stated.frames, stated.size
        self.mean, self.std = tuple(stated.mean), tuple(stated.std)
        self.head_names, self.exact_modules = (f"{classifier}.", "probe."), (classifier,)
        self.recolour = Recolour(data, (stated.mean, stated.std))
        self.probe = AttentivePooler(attentive_width) if attentive_width else None

    def adopt(self, net: nn.Module, *, without: Sequence[str] = ()) -> None:
        """Take over the children of the library's network; it must have no parameters beside them."""
        for name, child in net.named_children():
            if name not in without:
                self.add_module(name, child)

    def tokens(self, clips_BCTHW: Tensor) -> Tensor:
        """Return what is pooled, (B, N, D), for clips in the network's own colours."""
        raise NotImplementedError

    def pool(self, tokens_BND: Tensor) -> Tensor:
        """Return (B, D) as the library does."""
        raise NotImplementedError

    def forward_features(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the pooled features (B, D) of clips (B, 3, T, H, W) normalised as DATA says."""
        return self._pooled(self.tokens(self.recolour(clips_BCTHW)))

    def _pooled(self, tokens_BND: Tensor) -> Tensor:
        """Return (B, D)."""
        return self.pool(tokens_BND) if self.probe is None else self.probe(tokens_BND)

    def forward_trunk(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the tokens where their pooling is trained, else the pooled features (B, D)."""
        tokens_BND = self.tokens(self.recolour(clips_BCTHW))
        return tokens_BND if self.trains_pooling else self.pool(tokens_BND)

    def pool_trunk(self, trunk_B: Tensor) -> Tensor:
        """Return the features (B, D) of what `forward_trunk` gave."""
        return self._pooled(trunk_B) if self.trains_pooling else trunk_B

    @property
    def trains_pooling(self) -> bool:
        """Whether TRAIN.PROBE trains something besides the classifier."""
        return self.probe is not None or bool(self.probe_names)

    def forward_head(self, features_BD: Tensor) -> Tensor:
        """Return the logits (B, K)."""
        classifier: nn.Module = self
        for part in self.exact_modules[0].split("."):  # torch 2.4 compiles no get_submodule
            classifier = getattr(classifier, part)
        return classifier(features_BD)

    def blocks_to_checkpoint(self, counts: Sequence[int]) -> Sequence[nn.Module]:
        """Return none: the libraries have means of their own, switched on where the network is built."""
        return []


def check_clips(cfg: CfgNode, stated: Stated) -> None:
    """Refuse clips that a network does not take, and say once that its own colours win over DATA's.

    Raises:
        InputError: naming the keys that have to change.
    """
    wrong = {}
    if stated.fixed_frames and stated.frames != cfg.DATA.NUM_FRAMES:
        wrong["DATA.NUM_FRAMES"] = stated.frames
    if stated.fixed_size:
        keys = ("TRAIN_CROP_SIZE", "TEST_CROP_SIZE")
        wrong |= {f"DATA.{key}": stated.size for key in keys if cfg.DATA[key] != stated.size}
    if wrong:
        now = ", ".join(f"{key} {cfg.DATA[key.removeprefix('DATA.')]}" for key in wrong)
        if "DATA.TRAIN_CROP_SIZE" in wrong and not cfg.DATA.TRAIN_JITTER_SCALES_RELATIVE:
            wrong["DATA.TRAIN_JITTER_SCALES"] = f"[{stated.size},{stated.size * 5 // 4}]"
        needed = " ".join(f"{key} {value}" for key, value in wrong.items())
        raise InputError(
            f"MODEL.BACKBONE {stated.name} takes clips of {stated.frames} frames of {stated.size} pixels and "
            f"the configuration has {now}: set {needed}"
        )
    given, wanted = (cfg.DATA.MEAN, cfg.DATA.STD), (stated.mean, stated.std)
    if Recolour(given, wanted).same:
        return
    if cfg.DATA.SUBTRACT_TEMPORAL_MEAN:
        raise InputError(
            f"MODEL.BACKBONE {stated.name} has its own colours, which cannot be restored behind "
            f"DATA.SUBTRACT_TEMPORAL_MEAN: set that to 0, or DATA.MEAN to {list(stated.mean)} and DATA.STD to "
            f"{list(stated.std)}"
        )
    logger.info(
        "%s: its own mean %s and standard deviation %s are used in place of DATA.MEAN %s and DATA.STD %s",
        stated.name, list(stated.mean), list(stated.std), list(given[0]), list(given[1]),
    )  # fmt: skip


def data_colours(cfg: CfgNode) -> tuple[Sequence[float], ...]:
    """Return the (mean, std) with which clips come."""
    return tuple(cfg.DATA.MEAN), tuple(cfg.DATA.STD)
