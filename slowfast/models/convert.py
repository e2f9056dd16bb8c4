"""Tensors of another shape than the network's: inflation to 3D, repeated statistics, positions of another grid."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int, int]


class UnclearGrid(ValueError):
    """The length of a table of positions fits several grids; the text says which."""


@dataclass(frozen=True)
class SourceSizes:
    """What is known of the clips of the network that a file comes from; its tables of positions hold no grid.

    Attributes:
        clip: (frames, pixels of a side), or None.
        kernel: (T, H, W) of its first convolution, or None; a kernel is never smaller than its stride.
        grid: (T, H, W) that the user says for tables whose grid is unclear, or None.
    """

    clip: tuple[int, int] | None = None
    kernel: Grid | None = None
    grid: Grid | None = None

    def known_grid(self, tokens: int, wanted: Grid) -> Grid | None:
        """Return the one square grid of a number of tokens that clip and kernel allow, or None."""
        fits = [grid for grid in _square_grids(tokens, wanted) if self._can_be(grid)]
        return fits[0] if len(fits) == 1 else None

    def _can_be(self, grid: Grid) -> bool:
        """Return whether the clip can have been cut into this grid."""
        if self.clip is None or self.kernel is None:
            return False
        pairs = ((self.clip[0], grid[0], self.kernel[0]), (self.clip[1], grid[1], self.kernel[1]))
        return all(size % count == 0 and size // count <= kernel for size, count, kernel in pairs)

    def grid_of(self, tokens: int, wanted: Grid) -> Grid | None:
        """Return the grid of a number of tokens, or None where none fits.

        Of several square ones that fit: what clip and kernel allow, what the user says, the one with as many frames as
        wanted.

        Raises:
            UnclearGrid: none of this decides.
        """
        fits = _square_grids(tokens, wanted)
        known = self.known_grid(tokens, wanted)
        if len(fits) < 2 or known:
            return known or next(iter(fits), None)
        if self.grid and math.prod(self.grid) == tokens:
            return self.grid
        same = [grid for grid in fits if grid[0] == wanted[0]]
        if self.grid or not same:
            raise UnclearGrid(f"{tokens} positions may be {' or '.join('x'.join(map(str, grid)) for grid in fits)}")
        return same[0]


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


def resize_positions(
    table_1ND: Tensor, shape: torch.Size, grid: Grid, extra: int, sizes: SourceSizes = SourceSizes()
) -> tuple[Tensor, str] | None:
    """Return a table of learned positions for another grid: bicubic in space, linear in time.

    Args:
        table_1ND: positions (1, extra + T' * S' * S', D).
        shape: (1, extra + T * H * W, D) that is wanted.
        grid: (T, H, W) of the network.
        extra: leading rows that have no place in the grid (class token).
        sizes: what is known of the network of the file.

    Returns:
        The table and a description, or None where no grid fits.

    Raises:
        UnclearGrid: several grids fit.
    """
    fits = table_1ND.ndim == 3 and table_1ND.shape[0] == 1 and table_1ND.shape[2] == shape[2]
    if not fits or shape[1] != extra + math.prod(grid) or table_1ND.shape[1] <= extra:
        return None
    source = sizes.grid_of(table_1ND.shape[1] - extra, grid)
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


def _square_grids(tokens: int, wanted: Grid) -> list[Grid]:
    """Return the square grids of a number of tokens; a wanted grid of one row per frame has only frames."""
    if wanted[1:] == (1, 1):
        return [(tokens, 1, 1)]
    sides = (side for side in range(2, math.isqrt(tokens) + 1) if tokens % (side * side) == 0)
    grids = [(tokens // (side * side), side, side) for side in sides]
    return [grid for grid in grids if wanted[0] > 1 or grid[0] == 1]
