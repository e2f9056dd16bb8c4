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
# Weights are split into multiples of this, whose sums of products with levels are exact in float32, and a rest.
_GRAIN = 2.0**-14


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
    values = _weighted_sums(table_HWTC.reshape(-1, frames * channels), places_PK, weights_PK)
    out = np.full((h * w, frames * channels), FILL, np.uint8)
    out[inside] = values.clamp_(0, 255).to(torch.uint8).numpy()
    return out.reshape(h, w, frames, channels).transpose(2, 0, 1, 3)


def rotation_matrix(height: int, width: int, degrees: float) -> tuple[float, ...]:
    """Return the matrix that turns a frame counter-clockwise about its centre."""
    angle = -np.deg2rad(degrees % 360.0)
    cos, sin = round(float(np.cos(angle)), 15), round(float(np.sin(angle)), 15)
    x, y = width / 2, height / 2
    return cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y


def _weighted_sums(table: np.ndarray, places_PK: np.ndarray, weights_PK: np.ndarray) -> torch.Tensor:
    """Return sums of table rows with weights (float64), rounded to float32 once: whole numbers stay whole.

    Pillow sums in float64 and cuts off the fraction, so a sum just below a whole number would show.
    """
    places, rows = torch.from_numpy(places_PK), torch.from_numpy(table)
    coarse_PK = np.round(weights_PK / _GRAIN) * _GRAIN
    sums = [
        F.embedding_bag(places, rows, per_sample_weights=torch.from_numpy(part_PK.astype(np.float32)), mode="sum")
        for part_PK in (coarse_PK, weights_PK - coarse_PK)
    ]
    return sums[0].add_(sums[1])


def _table(
    frames_THWC: np.ndarray, rows_PK: np.ndarray, columns_PK: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the part of the frames that the taps reach as float32 (H, W, T, C), and the taps counted within it."""
    top, bottom, left, right = rows_PK.min(), rows_PK.max() + 1, columns_PK.min(), columns_PK.max() + 1
    part_HWTC = frames_THWC[:, top:bottom, left:right].transpose(1, 2, 0, 3)
    table_HWTC = np.empty(part_HWTC.shape, np.float32)
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
