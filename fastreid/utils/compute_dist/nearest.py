"""The nearest columns of every row of a distance matrix."""

from __future__ import annotations

import numpy as np

from ..machine import num_cores
from ..processor.threads import run_on_threads
from .distances import DistanceRows, row_blocks

# Groups of columns per neighbour, see `row_limits`. More groups leave fewer candidates to sort.
SAMPLES_PER_NEIGHBOUR = 16
# Rows that a thread processes in one task.
ROWS_PER_TASK = 64


def nearest_indices(distances: np.ndarray | DistanceRows, count: int) -> np.ndarray:
    """Find the nearest columns of every row; equal distances are ordered by index.

    Args:
        distances: (Q, G).
        count: neighbours per row.

    Returns:
        (Q, min(count, G)), int32, nearest first.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.compute_dist.nearest import nearest_indices
        >>> nearest_indices(np.array([[0.3, 0.1, 0.2], [0.0, 0.0, 1.0]]), 2).tolist()
        [[1, 2], [0, 1]]
    """
    num_rows, num_columns = distances.shape
    count = min(count, num_columns)
    nearest = np.empty((num_rows, count), np.int32)
    for rows in row_blocks(num_rows, num_columns):
        found = nearest[rows]
        if isinstance(distances, DistanceRows) and distances.on_device:
            found[:] = distances.device_rows(rows).nearest(count)
            continue
        found[:] = nearest_in_block(distances[rows], count)
    return nearest


def nearest_in_block(block: np.ndarray, count: int) -> np.ndarray:
    """Find the nearest columns of every row of a block of distances in memory.

    Args:
        block: (R, G) distances.
        count: neighbours per row, at most G.

    Returns:
        (R, count), int32, nearest first.
    """
    step = max(1, min(ROWS_PER_TASK, -(-len(block) // num_cores())))
    pieces = [slice(start, start + step) for start in range(0, len(block), step)]
    return np.concatenate(run_on_threads(_Nearest(block, count), pieces))


class _Nearest:
    """Finds the nearest columns of a slice of rows; called on several threads.

    Args:
        block: (R, G) distances.
        count: neighbours per row, at most G.
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
    """Compute a tight upper bound of the distance to each row's last neighbour.

    The columns are split into more groups than there are neighbours. The bound is the `count`-th
    smallest of the groups' minima, so at least `count` columns are within it.

    Args:
        dist: (R, G).
        count: neighbours per row, at most G.

    Returns:
        (R,) bounds.
    """
    groups = count * SAMPLES_PER_NEIGHBOUR
    length = dist.shape[1] // groups
    if length > 1:
        grouped = dist[:, : groups * length].reshape(len(dist), length, groups)
        dist = grouped.min(axis=1)
    return np.partition(dist, count - 1, axis=1)[:, count - 1]


def coordinates(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the True elements, row by row; faster than `np.nonzero` on two dimensions.

    Args:
        chosen: (R, G) bool.

    Returns:
        Row indices, int64, and column indices, int32.
    """
    places = np.flatnonzero(chosen)
    rows, columns = np.divmod(places, chosen.shape[1])
    return rows, columns.astype(np.int32)
