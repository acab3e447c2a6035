"""The nearest of a set of features among themselves: each pair's distance is computed once."""

from __future__ import annotations

import numpy as np

from .compute_dist import DistanceRows
from .nearest import coordinates, nearest_indices, row_limits
from .threads import run_on_threads

# Rows of a block. Smaller ones make the product slower, larger ones cost memory.
BLOCK_ROWS = 1024
# Rows that one thread works on at a time.
ROWS_PER_TASK = 64


def mutual_nearest(distances: DistanceRows, count: int) -> np.ndarray:
    """Find the nearest of every row; among equal distances the lower index comes first.

    Only blocks on and right of the diagonal are computed; each serves its rows and its columns.

    Args:
        distances: (N, N) of features to themselves.
        count: how many to find, the row itself included; with fewer than that, all.

    Returns:
        (N, min(count, N)), int32, nearest first.
    """
    num_images = len(distances)
    if distances.on_device or num_images <= BLOCK_ROWS or count > BLOCK_ROWS:
        return nearest_indices(distances, count)
    lists = _NeighbourLists(num_images, count)
    merge_at = 1
    for number, start in enumerate(range(0, num_images, BLOCK_ROWS)):
        rows = slice(start, min(start + BLOCK_ROWS, num_images))
        lists.take_in(distances.columns_from(start, rows), start)
        if number + 1 == merge_at:
            # Lists grow slowly then: limits twice as old let in twice as many candidates.
            lists.merge()
            merge_at *= 2
    lists.merge()
    return lists.nearest


class _NeighbourLists:
    """The nearest of every image among those seen so far, and candidates since the last merge.

    Args:
        num_images: N.
        count: length of each list.
    """

    def __init__(self, num_images: int, count: int) -> None:
        self.nearest = np.zeros((num_images, count), np.int32)
        self._dist = np.full((num_images, count), np.inf, np.float32)
        self._count = count
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def take_in(self, block: np.ndarray, start: int) -> None:
        """Note what may belong to a list.

        Args:
            block: (R, N - start) distances of images from `start` on to all from there on.
            start: number of the first.
        """
        height = len(block)
        limits = self._dist[start:, -1].copy()
        if np.isinf(limits[-1]):
            limits[height:] = row_limits(np.ascontiguousarray(block[:, height:].T), self._count)

        def search(rows: slice) -> tuple[np.ndarray, ...]:
            dist = block[rows]
            own = limits[rows]
            if dist.shape[1] >= self._count:
                own = np.minimum(own, row_limits(dist, self._count))
            row, column = coordinates(dist <= own[:, np.newaxis])
            column_row, column_of = coordinates(dist[:, height:] <= limits[height:])
            return (
                *(row + rows.start + start, column + start, dist[row, column]),
                *(column_of + height + start, (column_row + rows.start + start).astype(np.int32)),
                dist[column_row, column_of + height],
            )

        pieces = [slice(s, min(s + ROWS_PER_TASK, height)) for s in range(0, height, ROWS_PER_TASK)]
        for found in run_on_threads(search, pieces):
            self._pending += [found[:3], found[3:]]

    def merge(self) -> None:
        """Put the candidates into the lists.

        What is pending for an image comes in ascending order and after all in its list, so a
        stable sort by distance keeps equal distances in order.
        """
        if not self._pending:
            return
        old = np.flatnonzero(np.isfinite(self._dist.ravel()))
        lists = (old // self._count, self.nearest.ravel()[old], self._dist.ravel()[old])
        image, index, dist = (np.concatenate(c) for c in zip(lists, *self._pending))
        self._pending = []
        order = np.argsort(_sort_keys(image, dist), kind="stable")
        image, index, dist = image[order], index[order], dist[order]
        lengths = np.bincount(image, minlength=len(self._dist))
        place = np.arange(len(image)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = place < self._count
        self.nearest[image[kept], place[kept]] = index[kept]
        self._dist[image[kept], place[kept]] = dist[kept]


def _sort_keys(image: np.ndarray, dist: np.ndarray) -> np.ndarray:
    """One whole number that orders by image, then by distance: faster to sort than the two."""
    # Adding 0 makes the two zeros equal; bits of negative numbers count backwards.
    bits = (dist + np.float32(0)).view(np.int32)
    return (image.astype(np.int64) << 32) + (bits ^ ((bits >> 31) & 0x7FFFFFFF))
