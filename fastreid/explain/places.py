"""Maps of numbers over the places of an image, and their change of resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def join_maps(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Add maps of several resolutions, each spread to the highest one.

    Args:
        maps: (N, h, w) each.

    Returns:
        (N, H, W) of the largest height and width, with the same sum for each image.
    """
    size = (max(each.shape[1] for each in maps), max(each.shape[2] for each in maps))
    return np.sum([spread(each, size) for each in maps], axis=0)


def spread(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Distribute the numbers of each cell over the cells of another grid that it overlaps.

    Args:
        maps: (N, h, w).
        size: height and width of the other grid.

    Returns:
        (N, *size), with the same sum for each image; the maps themselves if they have the size.
    """
    if maps.shape[1:] == size:
        return maps
    rows, columns = (_shares(old, new) for old, new in zip(maps.shape[1:], size))
    return np.einsum("Hh,nhw,Ww->nHW", rows, maps, columns)


def _shares(old: int, new: int) -> np.ndarray:
    """(new, old): the share of each old interval that lies in each new one; columns sum to 1."""
    edges = np.arange(new + 1)[:, None] / new * old
    inside = np.clip(edges - np.arange(old)[None, :], 0, 1)
    return np.diff(inside, axis=0)
