"""Affine transforms of whole clips with the values that Pillow gives (values that are whole in theory may round apart).

All frames and channels of a clip share the sampling positions, so a transform is one sparse matrix (a few taps per
pixel) times a table with one row per pixel and one column per frame and channel: `embedding_bag`.

Legend: T frames, H W pixels, P output pixels, K taps per pixel.
"""

import numpy as np
import torch
import torch.nn.functional as F

from slowfast.transforms.spatial import Box

FILL = 128
# Sums of products that are whole numbers in theory may come out a little below; Pillow cuts off the fraction.
_EPSILON = 1e-9


def affine(
    frames_THWC: np.ndarray, matrix: tuple[float, ...], interpolation: str = "bicubic", box: Box | None = None
) -> np.ndarray:
    """Return frames under an affine transform, grey (128) where no input pixel lies.

    Args:
        frames_THWC: uint8 RGB.
        matrix: (a, b, c, d, e, f): output pixel centre (x, y) shows the input at (ax + by + c, dx + ey + f).
        interpolation: `bicubic` or `bilinear`.
        box: the part of the output that is wanted, default all.

    Returns:
        uint8 (T, h, w, 3); frames and pixels may lie in memory in another order.
    """
    frames, height, width, channels = frames_THWC.shape
    top, left, h, w = box or (0, 0, height, width)
    a, b, c, d, e, f = matrix
    x = np.arange(left, left + w) + 0.5
    y = (np.arange(top, top + h) + 0.5)[:, None]
    x_P, y_P = (a * x + b * y + c).ravel(), (d * x + e * y + f).ravel()
    inside = np.flatnonzero((x_P >= 0) & (x_P < width) & (y_P >= 0) & (y_P < height))
    if not inside.size:
        return np.full((frames, h, w, channels), FILL, np.uint8)
    columns_PK, x_weights_PK = _taps(x_P[inside], width, interpolation)
    rows_PK, y_weights_PK = _taps(y_P[inside], height, interpolation)
    table_HWTC, rows_PK, columns_PK = _table(frames_THWC, rows_PK, columns_PK)
    places_PK = (rows_PK[:, :, None] * table_HWTC.shape[1] + columns_PK[:, None, :]).reshape(inside.size, -1)
    weights_PK = (y_weights_PK[:, :, None] * x_weights_PK[:, None, :]).reshape(inside.size, -1)
    values = F.embedding_bag(
        torch.from_numpy(places_PK),
        torch.from_numpy(table_HWTC.reshape(-1, frames * channels)),
        per_sample_weights=torch.from_numpy(weights_PK),
        mode="sum",
    )
    out = np.full((h * w, frames * channels), FILL, np.uint8)
    out[inside] = values.add_(_EPSILON).clamp_(0, 255).to(torch.uint8).numpy()
    return out.reshape(h, w, frames, channels).transpose(2, 0, 1, 3)


def rotation_matrix(height: int, width: int, degrees: float) -> tuple[float, ...]:
    """Return the matrix that turns a frame counter-clockwise about its centre."""
    angle = -np.deg2rad(degrees % 360.0)
    cos, sin = round(float(np.cos(angle)), 15), round(float(np.sin(angle)), 15)
    x, y = width / 2, height / 2
    return cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y


def _table(
    frames_THWC: np.ndarray, rows_PK: np.ndarray, columns_PK: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the part of the frames that the taps reach as float64 (H, W, T, C), and the taps counted within it."""
    top, bottom, left, right = rows_PK.min(), rows_PK.max() + 1, columns_PK.min(), columns_PK.max() + 1
    part_HWTC = frames_THWC[:, top:bottom, left:right].transpose(1, 2, 0, 3)
    table_HWTC = np.empty(part_HWTC.shape, np.float64)
    table_HWTC[...] = part_HWTC
    return table_HWTC, rows_PK - top, columns_PK - left


def _taps(position_P: np.ndarray, size: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the input indices (clamped to the frame) and weights of one axis, each (P, K).

    The cubic has slope -1 at distance 1. Where all positions are pixel centres one tap is enough.
    """
    base_P = np.floor(position_P - 0.5)
    t = position_P - 0.5 - base_P
    if not t.any():
        first, weights = 0, [np.ones_like(t)]
    elif interpolation == "bilinear":
        first, weights = 0, [1 - t, t]
    else:
        t2, t3 = t * t, t * t * t
        first, weights = -1, [2 * t2 - t - t3, 1 - 2 * t2 + t3, t + t2 - t3, t3 - t2]
    indices_PK = base_P.astype(np.int64)[:, None] + np.arange(first, first + len(weights))
    return indices_PK.clip(0, size - 1), np.stack(weights, axis=1)
