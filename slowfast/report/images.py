"""Frames as film strips that need no other file. Legend: T frames, H W."""

import base64
import io

import numpy as np
from PIL import Image


def film_strip(frames_THWC: np.ndarray, height: int = 90) -> Image.Image:
    """Return the frames side by side.

    Args:
        frames_THWC: uint8 RGB (T, H, W, 3).
        height: of the strip in pixels; the width follows.
    """
    _, rows, columns, _ = frames_THWC.shape
    width = max(1, round(columns * height / rows))
    strip = Image.new("RGB", (width * len(frames_THWC), height))
    for index, frame_HWC in enumerate(frames_THWC):
        frame = Image.fromarray(frame_HWC).resize((width, height), Image.Resampling.BILINEAR)
        strip.paste(frame, (width * index, 0))
    return strip


def data_uri(image: Image.Image) -> str:
    """Return an image as the text of a PNG data URI."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
