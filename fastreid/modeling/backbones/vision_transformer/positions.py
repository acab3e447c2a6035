"""Position embeddings for another number of patches: which grid they are of, and resizing it."""

from __future__ import annotations

import math

import numpy as np

Grid = tuple[int, int]


def resize_positions(embedding: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Interpolate the embeddings of patches; that of the class token stays.

    Bilinear, as `torch.nn.functional.interpolate` does it: the borders of both grids coincide.

    Args:
        embedding: (1, 1 + h * w, D): the class token, then the patches row by row.
        source: h and w.
        target: height and width of the new grid, in patches.

    Returns:
        (1, 1 + height * width, D), of the type of the embedding.
    """
    token, patches = embedding[:, :1], embedding[0, 1:]
    rows, columns = (_weights(old, new) for old, new in zip(source, target))
    grid = patches.reshape(*source, -1).astype(np.float64)
    resized = np.einsum("yh,hwd,xw->yxd", rows, grid, columns, optimize=True)
    resized = resized.reshape(1, -1, embedding.shape[2])
    return np.concatenate([token, resized.astype(embedding.dtype)], axis=1)


def _weights(old: int, new: int) -> np.ndarray:
    """Weights (new, old) of linear interpolation between the centres of cells."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    distances = np.abs(at[:, None] - np.arange(old)[None])
    return np.clip(1 - distances, 0, None)


def square_grid(patches: int) -> Grid | None:
    """Return the square grid of so many patches; None if there is none."""
    side = math.isqrt(patches)
    return (side, side) if side * side == patches else None


def nearest_grid(patches: int, like: Grid) -> Grid:
    """Find the grid that so many patches most likely come from.

    It has the ratio of height to width of another grid; else it is square; else its ratio is the
    nearest.

    Args:
        patches: number of patches, 1 or more.
        like: height and width of the other grid.

    Returns:
        Height and width, whose product is `patches`.
    """
    grids = [(patches // w, w) for w in range(1, patches + 1) if patches % w == 0]
    height, width = like
    same = [grid for grid in grids if grid[0] * width == grid[1] * height]
    square = square_grid(patches)
    if same:
        return same[0]
    if square is not None:
        return square
    return min(grids, key=lambda grid: abs(math.log(grid[0] * width / (grid[1] * height))))
