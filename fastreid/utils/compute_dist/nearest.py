"""The nearest columns of every row of a distance matrix."""

from __future__ import annotations

import numpy as np

from ..threads import num_cores, run_on_threads
from .distances import DistanceRows, row_blocks

# Minima are taken over this many columns for every neighbour that is asked for: the more, the
# fewer candidates remain to be sorted.
SAMPLES_PER_NEIGHBOUR = 16
# Rows that one thread works on at a time.
ROWS_PER_TASK = 64


def nearest_indices(distances: np.ndarray | DistanceRows, count: int) -> np.ndarray:
    """Find the nearest columns of every row; among equal distances the lower index comes first.

    Args:
        distances: (Q, G).
        count: how many to find; with fewer than that, all.

    Returns:
        (Q, min(count, G)), int32, nearest first.
    """
    num_rows, num_columns = distances.shape
    count = min(count, num_columns)
    nearest = np.empty((num_rows, count), np.int32)
    for rows in row_blocks(num_rows, num_columns):
        found = nearest[rows]
        if isinstance(distances, DistanceRows) and distances.on_device:
            found[:] = distances.nearest(rows, count)
            continue
        found[:] = nearest_in_block(distances[rows], count)
    return nearest


def nearest_in_block(block: np.ndarray, count: int) -> np.ndarray:
    """Find the nearest columns of every row of a block that is small enough to be held.

    Args:
        block: (R, G) distances.
        count: how many to find, at most G.

    Returns:
        (R, count), int32, nearest first.
    """
    step = max(1, min(ROWS_PER_TASK, -(-len(block) // num_cores())))
    pieces = [slice(start, start + step) for start in range(0, len(block), step)]
    return np.concatenate(run_on_threads(_Nearest(block, count), pieces))


class _Nearest:
    """Searches some rows of a block.

    Args:
        block: (R, G) distances.
        count: neighbours to find, at most G.
    """

    def __init__(self, block: np.ndarray, count: int) -> None:
        self._block = block
        self._count = count

    def __call__(self, rows: slice) -> np.ndarray:
        dist = self._block[rows]
        limits = row_limits(dist, self._count)
        row_of, column_of = coordinates(dist <= limits[:, np.newaxis])
        # Columns ascend within each row, and lexsort is stable.
        order = np.lexsort((dist[row_of, column_of], row_of))
        first = np.searchsorted(row_of, np.arange(len(dist)))
        return column_of[order[first[:, np.newaxis] + np.arange(self._count)]]


def row_limits(dist: np.ndarray, count: int) -> np.ndarray:
    """Bound the distance of each row's last neighbour from above, closely.

    The columns are dealt into more groups than neighbours are wanted. As many groups as
    neighbours have their minimum within the limit, so at least as many columns lie within it.

    Args:
        dist: (R, G).
        count: neighbours, at most G.

    Returns:
        (R,).
    """
    groups = count * SAMPLES_PER_NEIGHBOUR
    length = dist.shape[1] // groups
    if length > 1:
        dealt = dist[:, : groups * length].reshape(len(dist), length, groups)
        dist = dealt.min(axis=1)
    return np.partition(dist, count - 1, axis=1)[:, count - 1]


def coordinates(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what is True, row after row; `np.nonzero` is slower in two dimensions.

    Args:
        chosen: (R, G) bool.

    Returns:
        Rows, int64, and columns, int32.
    """
    places = np.flatnonzero(chosen)
    rows, columns = np.divmod(places, chosen.shape[1])
    return rows, columns.astype(np.int32)
