"""Affine transforms of whole clips with the values that Pillow gives (values that are whole in theory may round apart).

Where rows (or columns) are only shifted, each by its own distance, they are summed as they lie. Else all frames and
channels of a clip share the sampling positions: a transform is one sparse matrix (a few taps per pixel) times a table
with one row per pixel and one column per frame and channel: `embedding_bag`.

Legend: T frames, H W pixels, P output pixels, K taps per pixel.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from slowfast.transforms.spatial import Box

Matrix = tuple[float, ...]
FILL = 128
# Weights are split into multiples of this, whose sums of products with levels are exact in float32, and a rest.
_GRAIN = 2.0**-14


def affine(
    frames_THWC: np.ndarray,
    matrix: Matrix,
    interpolation: str = "bicubic",
    box: Box | None = None,
    part: Box | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return frames under an affine transform, grey (128) where no input pixel lies.

    Args:
        frames_THWC: uint8 RGB.
        matrix: (a, b, c, d, e, f): output pixel centre (x, y) shows the input at (ax + by + c, dx + ey + f).
        interpolation: `bicubic` or `bilinear`.
        box: the part of the output that is wanted, default all.
        part: which part of the whole frames is given, default all; it holds `reach` of the box.
        size: (H, W) of the whole frames.

    Returns:
        uint8 (T, h, w, 3); frames and pixels may lie in memory in another order.
    """
    height, width = size or frames_THWC.shape[1:3]
    box, part = box or (0, 0, height, width), part or (0, 0, height, width)
    a, b, c, d, e, f = matrix
    if (a, d, e, f) == (1, 0, 1, 0):
        return _slide(frames_THWC, (b, c), interpolation, box, part, width, columns=False)
    if (a, b, c, e) == (1, 0, 0, 1):
        return _slide(frames_THWC, (d, f), interpolation, _turn(box), _turn(part), height, columns=True)
    return _gather(frames_THWC, matrix, interpolation, box, part, (height, width))


def reach(matrix: Matrix, box: Box, size: tuple[int, int]) -> Box:
    """Return the part of frames of (H, W) that a box of the output is made from."""
    a, b, c, d, e, f = matrix
    (top, left, h, w), (height, width) = box, size
    corners = [(x, y) for x in (left + 0.5, left + w - 0.5) for y in (top + 0.5, top + h - 0.5)]
    first, end = _extent([a * x + b * y + c for x, y in corners], width)
    above, below = _extent([d * x + e * y + f for x, y in corners], height)
    return above, first, below - above, end - first


def _extent(positions: list[float], size: int) -> tuple[int, int]:
    """Return the first and the end of the pixels that positions on an axis need, within the frame."""
    first = min(max(math.floor(min(positions) - 0.5) - 1, 0), size - 1)
    return first, max(min(math.floor(max(positions) - 0.5) + 3, size), first + 1)


def _turn(box: Box) -> Box:
    """Return a box after rows and columns have changed places."""
    top, left, height, width = box
    return left, top, width, height


def _slide(
    frames_THWC: np.ndarray,
    line: tuple[float, float],
    interpolation: str,
    box: Box,
    part: Box,
    width: int,
    *,
    columns: bool,
) -> np.ndarray:
    """Return frames whose row y shows the input shifted by line[0] * (y + 0.5) + line[1] pixels; see `affine`.

    All pixels of a row have the same weights, so rows are summed as they lie, in float64 as Pillow does. With `columns`
    the same is done to columns: rows and columns have changed places in what follows and in all boxes.
    """
    top, left, h, w = box
    shift_H = line[0] * (np.arange(top, top + h) + 0.5) + line[1]
    whole_H = np.floor(shift_H).astype(np.int64)
    turn = (lambda array: array.swapaxes(1, 2)) if columns else (lambda array: array)
    rows_THWC = turn(frames_THWC)[:, top - part[0] :]
    aligned_THWC, out_THWC = (turn(_empty_clip(len(frames_THWC), h, length, columns)) for length in (w + 3, w))
    for first, end in _runs(whole_H):
        _copy_clamped(rows_THWC[:, first:end], aligned_THWC[:, first:end], left + int(whole_H[first]) - 1, part, width)
    # A hair more than 1 altogether: sums that are whole must not end below.
    weights_KH = _weights(shift_H - whole_H, interpolation) * (1 + 1e-12)
    _sum_taps(turn(aligned_THWC), turn(out_THWC), weights_KH, columns)
    x = np.arange(left, left + w) + 0.5
    outside = [np.searchsorted(x, -shift_H), np.searchsorted(x, width - shift_H)]
    for first, end in _runs(np.stack(outside, 1)):
        out_THWC[:, first:end, : outside[0][first]] = FILL
        out_THWC[:, first:end, outside[1][first] :] = FILL
    return turn(out_THWC)


def _empty_clip(frames: int, rows: int, length: int, columns: bool) -> np.ndarray:
    """Return memory for (T, H, W, 3) frames that have `rows` rows (or columns) of a length."""
    return np.empty((frames, length, rows, 3) if columns else (frames, rows, length, 3), np.uint8)


def _sum_taps(aligned_THWC: np.ndarray, out_THWC: np.ndarray, weights_KH: np.ndarray, columns: bool) -> None:
    """Write sums of four neighbours along rows (or columns), with the weights of the row (or column)."""
    axis, unit = (0, 1) if columns else (1, 3)
    weights = torch.from_numpy(np.repeat(weights_KH, 3, 1)[:, None] if columns else weights_KH[..., None])
    length = out_THWC.shape[1 if columns else 2] * unit
    for aligned_HWC, out_HWC in zip(aligned_THWC, out_THWC):
        levels = torch.from_numpy(aligned_HWC).flatten(1).double()
        total = levels.narrow(axis, 0, length) * weights[0]
        for tap in (1, 2, 3):
            total.addcmul_(levels.narrow(axis, tap * unit, length), weights[tap])
        torch.from_numpy(out_HWC).flatten(1).copy_(total.clamp_(0, 255))


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Return (first, end) of the runs of equal values (or rows)."""
    changes = np.diff(values.reshape(len(values), -1), axis=0).any(axis=1)
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(values)]
    return list(zip(edges[:-1], edges[1:]))


def _copy_clamped(rows_THWC: np.ndarray, out_THWC: np.ndarray, start: int, part: Box, width: int) -> None:
    """Copy columns from `start` on (counted in the whole frame); beyond its edges the outermost pixel goes on."""
    count = out_THWC.shape[2]
    low, high = min(max(-start, 0), count), max(min(width - start, count), 0)
    if low < high:
        offset = start - part[1]
        out_THWC[:, :, low:high] = rows_THWC[:, : out_THWC.shape[1], offset + low : offset + high]
    out_THWC[:, :, :low] = out_THWC[:, :, low : low + 1] if low < high else 0
    out_THWC[:, :, high:] = out_THWC[:, :, high - 1 : high] if low < high else 0


def _weights(t: np.ndarray, interpolation: str) -> np.ndarray:
    """Return the weights of the four pixels around a position, t after the second one; the cubic has slope -1 at 1."""
    if interpolation == "bilinear":
        return np.stack([0 * t, 1 - t, t, 0 * t])
    t2, t3 = t * t, t * t * t
    return np.stack([2 * t2 - t - t3, 1 - 2 * t2 + t3, t + t2 - t3, t3 - t2])


def _gather(
    frames_THWC: np.ndarray, matrix: Matrix, interpolation: str, box: Box, part: Box, size: tuple[int, int]
) -> np.ndarray:
    """Return frames under any affine transform; see `affine`."""
    (top, left, h, w), (height, width) = box, size
    frames, channels = len(frames_THWC), frames_THWC.shape[-1]
    a, b, c, d, e, f = matrix
    x = np.arange(left, left + w) + 0.5
    y = (np.arange(top, top + h) + 0.5)[:, None]
    x_P, y_P = (a * x + b * y + c).ravel(), (d * x + e * y + f).ravel()
    inside = np.flatnonzero((x_P >= 0) & (x_P < width) & (y_P >= 0) & (y_P < height))
    if not inside.size:
        return np.full((frames, h, w, channels), FILL, np.uint8)
    columns_PK, x_weights_PK = _taps(x_P[inside], width, interpolation)
    rows_PK, y_weights_PK = _taps(y_P[inside], height, interpolation)
    table_HWTC, rows_PK, columns_PK = _table(frames_THWC, rows_PK - part[0], columns_PK - part[1])
    places_PK = (rows_PK[:, :, None] * table_HWTC.shape[1] + columns_PK[:, None, :]).reshape(inside.size, -1)
    weights_PK = (y_weights_PK[:, :, None] * x_weights_PK[:, None, :]).reshape(inside.size, -1)
    values = _weighted_sums(table_HWTC.reshape(-1, frames * channels), places_PK, weights_PK)
    out = np.full((h * w, frames * channels), FILL, np.uint8)
    out[inside] = values.clamp_(0, 255).to(torch.uint8).numpy()
    return out.reshape(h, w, frames, channels).transpose(2, 0, 1, 3)


def rotation_matrix(height: int, width: int, degrees: float) -> Matrix:
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
    """Return the input indices (clamped to the frame) and weights of one axis, each (P, 4)."""
    base_P = np.floor(position_P - 0.5)
    weights_PK = _weights(position_P - 0.5 - base_P, interpolation).T
    indices_PK = base_P.astype(np.int64)[:, None] + np.arange(-1, 3)
    return indices_PK.clip(0, size - 1), weights_PK
