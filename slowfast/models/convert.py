"""Tensors of another shape than the network's: inflation to 3D, repeated statistics, positions of another grid."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int, int]


def inflate(weight: Tensor, shape: torch.Size) -> Tensor | None:
    """Return a 2D kernel repeated over the frames of a 3D one and divided by their number (I3D, CVPR 2017).

    Args:
        weight: (O, I, H, W).
        shape: (O, I, T, H, W) that is wanted.
    """
    if weight.ndim != 4 or len(shape) != 5 or weight.shape != (*shape[:2], *shape[3:]):
        return None
    return weight.unsqueeze(2).expand(shape) / shape[2]


def repeat_to(vector: Tensor, shape: torch.Size) -> Tensor | None:
    """Return a 1D tensor repeated end to end (statistics kept per split of a batch)."""
    if vector.ndim != 1 or len(shape) != 1 or not vector.numel() or shape[0] % vector.shape[0]:
        return None
    return vector.repeat(shape[0] // vector.shape[0])


def resize_positions(table_1ND: Tensor, shape: torch.Size, grid: Grid, extra: int) -> tuple[Tensor, str] | None:
    """Return a table of learned positions for another grid: bicubic in space, linear in time.

    The grid of the file is not stored in it; of all square ones that fit its length the one nearest to the wanted
    grid is taken.

    Args:
        table_1ND: positions (1, extra + T' * S' * S', D).
        shape: (1, extra + T * H * W, D) that is wanted.
        grid: (T, H, W) of the network.
        extra: leading rows that have no place in the grid (class token).

    Returns:
        The table and a description, or None where no grid fits.
    """
    fits = table_1ND.ndim == 3 and table_1ND.shape[0] == 1 and table_1ND.shape[2] == shape[2]
    if not fits or shape[1] != extra + math.prod(grid) or table_1ND.shape[1] <= extra:
        return None
    source = _nearest_grid(table_1ND.shape[1] - extra, grid)
    if source is None:
        return None
    head_1ED, body_1ND = table_1ND[:, :extra], table_1ND[:, extra:].float()
    body_TDHW = body_1ND.view(*source, -1).permute(0, 3, 1, 2)
    if source[1:] != grid[1:]:
        body_TDHW = F.interpolate(body_TDHW, size=grid[1:], mode="bicubic", align_corners=False)
    body_HWDT = body_TDHW.permute(2, 3, 1, 0)
    if source[0] != grid[0]:
        flat_NDT = F.interpolate(body_HWDT.flatten(0, 1), size=grid[0], mode="linear", align_corners=False)
        body_HWDT = flat_NDT.unflatten(0, grid[1:])
    body_1ND = body_HWDT.permute(3, 0, 1, 2).reshape(1, -1, table_1ND.shape[2])
    note = f"positions {'x'.join(map(str, source))} to {'x'.join(map(str, grid))}"
    return torch.cat((head_1ED.float(), body_1ND), dim=1), note


def _grids(tokens: int, wanted: Grid) -> Iterator[Grid]:
    """Yield the square grids of a number of tokens; a wanted grid of one row per frame has only frames."""
    if wanted[1:] == (1, 1):
        yield tokens, 1, 1
        return
    for side in range(1, math.isqrt(tokens) + 1):
        frames, rest = divmod(tokens, side * side)
        if rest == 0 and (wanted[0] > 1 or frames == 1):
            yield frames, side, side


def _nearest_grid(tokens: int, wanted: Grid) -> Grid | None:
    """Return the grid of a number of tokens that differs least from the wanted one, or None."""

    def distance(grid: Grid) -> float:
        return abs(math.log(grid[0] / wanted[0])) + abs(math.log(grid[1] / wanted[1]))

    return min(_grids(tokens, wanted), key=distance, default=None)
