"""One frame to network input, as each feature extractor of the method does it."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from slowfast.transforms import spatial
from slowfast.transforms.gamma import apply_gamma


@dataclass(frozen=True)
class FramePreprocess:
    """Gamma correction, resizing to a square, normalisation.

    Args:
        size: side of the square, pixels.
        resize: `squash` scales the frame bilinearly to the square whatever its shape (the ViT-H extractor),
            `squash_antialias` does so with Pillow's antialiasing on 8-bit levels (the ViT-L extractor),
            `crop` scales the short side and cuts the centre, as in testing.
        mean: of RGB in 0..1.
        std: of RGB in 0..1.
        gamma: exponent of the gamma correction; 1 is off.
    """

    size: int
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gamma: float = 1.0

    def __call__(self, frame_HWC: np.ndarray) -> torch.Tensor:
        """Return a uint8 RGB frame as float32 (3, 1, size, size)."""
        frame_HWC = apply_gamma(frame_HWC, self.gamma)
        if self.resize == "squash_antialias":
            square = Image.fromarray(frame_HWC).resize((self.size, self.size), Image.Resampling.BILINEAR)
            clip_CTHW = spatial.to_planes(np.asarray(square)[None]).float()
        elif self.resize == "squash":
            clip_CTHW = spatial.resize(spatial.to_planes(frame_HWC[None]).float(), self.size, self.size)
        else:
            clip_CTHW = spatial.resize_and_crop(spatial.to_planes(frame_HWC[None]), self.size, 1).contiguous()
        return spatial.normalise_(clip_CTHW, self.mean, self.std)
