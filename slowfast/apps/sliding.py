"""A trained network over windows of seconds that slide along a video or a stream. Legend: B windows, K classes."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.apps.light import light_of
from slowfast.config import several_labels
from slowfast.engine.predictor import Predictor
from slowfast.features.build import build_preprocess
from slowfast.features.windows import WindowPlan
from slowfast.losses import class_shares
from slowfast.transforms.spatial import subtract_temporal_mean
from slowfast.utils.errors import InputError
from slowfast.video.stream import ASSUMED_FPS, StreamedFrame, StreamedVideo, resample

# Frames from which the light is judged.
_LIGHT_FRAMES = 8


class Slide:
    """How windows lie on a video: it is read at a rate at which a window has as many frames as the network sees.

    Args:
        cfg: DATA and FEATURES.RESIZE are read.
        video: opened, not read yet.
        window: seconds; 0: DATA.NUM_FRAMES frames of the video, DATA.SAMPLING_RATE apart.
        stride: seconds, rounded to whole frames of the network; 0: half a window.
        gamma: exponent; None: by the light of the first frames.

    Attributes:
        rate: frames a second that are used.
        plan: frames of the windows.
        prepare: one frame to network input.
        light: what is done about the light.
    """

    def __init__(
        self, cfg: CfgNode, video: StreamedVideo, *, window: float, stride: float, gamma: float | None
    ) -> None:
        fps, count = video.fps or ASSUMED_FPS, cfg.DATA.NUM_FRAMES
        self.seconds = window or count * cfg.DATA.SAMPLING_RATE / fps
        self.rate = count / self.seconds
        self.plan = WindowPlan(count, 1, max(1, round((stride or self.seconds / 2) * self.rate)), "pad")
        frames = resample(video.frames(), self.rate, fps, video.tick)
        first = list(itertools.islice(frames, _LIGHT_FRAMES))
        self._frames = itertools.chain(first, frames)
        self.light = light_of(cfg, [frame.rgb() for frame in first], gamma)
        self.prepare = replace(build_preprocess(cfg), gamma=self.light.gamma)

    @property
    def stride(self) -> float:
        """Seconds from the start of a window to that of the next one."""
        return self.plan.stride / self.rate

    def frames(self) -> Iterator[StreamedFrame]:
        """Yield the frames, once."""
        return self._frames


class Scorer:
    """Clips to class probabilities.

    Args:
        predictor: says device and precision.
        network: as it is run.
    """

    def __init__(self, predictor: Predictor, network: nn.Module) -> None:
        self.device, self.precision, self._network = predictor.device, predictor.precision, network
        self._temporal_mean = predictor.cfg.DATA.SUBTRACT_TEMPORAL_MEAN
        self._several = several_labels(predictor.cfg)

    @torch.inference_mode()
    def __call__(self, clips_BCTHW: torch.Tensor) -> np.ndarray:
        """Return float32 probabilities (B, K).

        Raises:
            InputError: when they are not finite.
        """
        with self.precision.active(self.device):
            logits_BK = self._network(subtract_temporal_mean(clips_BCTHW, self._temporal_mean))
        probs_BK = class_shares(logits_BK.float(), several=self._several).cpu().numpy()
        if not np.isfinite(probs_BK).all():
            raise InputError("its scores are NaN or infinite: set TEST.MIXED_PRECISION off, or use other weights")
        return probs_BK
