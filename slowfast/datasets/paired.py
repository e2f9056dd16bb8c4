"""Several views of the same training clip, such as a weak and a strong one for a consistency loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from slowfast.datasets.views import TrainFrames, TrainViews
from slowfast.datasets.whole_batch import Cut


@dataclass(frozen=True)
class PairedViews:
    """Augments the same frames in several ways; the clips of a video lie side by side.

    Args:
        views: one augmentation per clip, all of the same size.
    """

    views: Sequence[TrainViews]

    def prepare(self, frames_THWC: np.ndarray, rng: np.random.Generator) -> list[TrainFrames]:
        """Draw one augmentation of every kind; see `TrainViews.prepare`."""
        return [view.prepare(frames_THWC, own) for view, own in zip(self.views, rng.spawn(len(self.views)))]

    def shape(self, clips: Sequence[TrainFrames]) -> tuple[int, ...]:
        """Return the shape of the clips of one video: (views, 3, T, size, size)."""
        return len(self.views), *self.views[0].shape(clips[0])[1:]

    def finish(self, clips: Sequence[TrainFrames], out_VCTHW: torch.Tensor) -> None:
        """Write the clips of one video to `out_VCTHW`; see `TrainViews.finish`."""
        for view, clip, out_1CTHW in zip(self.views, clips, out_VCTHW.split(1)):
            view.finish(clip, out_1CTHW)

    def cuts(self, clips: Sequence[TrainFrames]) -> list[Cut]:
        """Return where the clips of a video come from, for a whole batch at once."""
        return [cut for view, clip in zip(self.views, clips) for cut in view.cuts(clip)]

    def erase(self, clips: Sequence[TrainFrames], out_VCTHW: torch.Tensor) -> None:
        """Erase random boxes of the clips of a video."""
        for view, clip, out_1CTHW in zip(self.views, clips, out_VCTHW.split(1)):
            view.erase(clip, out_1CTHW)
