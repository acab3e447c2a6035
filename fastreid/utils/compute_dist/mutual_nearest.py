"""The nearest of a set of features among themselves: each pair's distance is computed once."""

from __future__ import annotations

import numpy as np

from ..threads import run_on_threads
from .distances import DistanceRows
from .nearest import coordinates, nearest_in_block, nearest_indices

# Rows of a block. Smaller ones make the product slower, larger ones cost memory.
BLOCK_ROWS = 1024
# Rows that one thread works on at a time.
ROWS_PER_TASK = 64
# Lists are brought up to date before so many times their length waits: what is like its
# neighbours in order, such as frames of a film, keeps bringing nearer images.
MOST_PENDING = 4


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
    lists = NeighbourLists(num_images, count)
    merge_at = 1
    for number, start in enumerate(range(0, num_images, BLOCK_ROWS)):
        rows = slice(start, min(start + BLOCK_ROWS, num_images))
        lists.take_in(distances.columns_from(start, rows), start)
        # Lists change slowly later on: limits from half as many images let in twice as many.
        if number + 1 == merge_at or lists.num_pending > MOST_PENDING * lists.nearest.size:
            lists.merge()
        if number + 1 == merge_at:
            merge_at *= 2
    lists.merge()
    return lists.nearest


class NeighbourLists:
    """The nearest of every image among those seen so far, and candidates since the last merge.

    Args:
        num_images: N.
        count: length of each list.

    Attributes:
        nearest: (N, count) int32, nearest first, as of the last merge.
        num_pending: candidates since the last merge.
    """

    def __init__(self, num_images: int, count: int) -> None:
        self.nearest = np.zeros((num_images, count), np.int32)
        self._dist = np.full((num_images, count), np.inf, np.float32)
        self._count = count
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.num_pending = 0

    def take_in(self, block: np.ndarray, start: int) -> None:
        """Note what may belong to a list.

        Args:
            block: (R, N - start) distances of images from `start` on to all from there on.
            start: number of the first.
        """
        height, width = block.shape
        limits = self._dist[start + height :, -1]
        if len(limits) and np.isinf(limits[-1]):
            # The first block: lists are empty.
            columns = np.ascontiguousarray(block[:, height:].T)
            self._note_nearest(columns, self._count, image=height, index=0)
        else:
            self._note_nearer(block[:, height:], limits, start)
        self._note_nearest(block, min(self._count, width), image=start, index=start)

    def _note_nearest(self, block: np.ndarray, count: int, *, image: int, index: int) -> None:
        near = nearest_in_block(block, count)
        dist = np.take_along_axis(block, near, axis=1)
        images = np.repeat(np.arange(image, image + len(block)), count)
        self._note(images, near.ravel() + np.int32(index), dist.ravel())

    def _note_nearer(self, block: np.ndarray, limits: np.ndarray, start: int) -> None:
        """Note the rows that come into the lists of the columns.

        Lists are full, and what is in them has a lower index: at an equal distance it stays.
        """
        height = len(block)

        def search(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            dist = block[rows]
            row, column = coordinates(dist < limits)
            found = (row + rows.start + start).astype(np.int32)
            return column + start + height, found, dist[row, column]

        pieces = [slice(s, min(s + ROWS_PER_TASK, height)) for s in range(0, height, ROWS_PER_TASK)]
        for found in run_on_threads(search, pieces):
            self._note(*found)

    def _note(self, images: np.ndarray, indices: np.ndarray, dist: np.ndarray) -> None:
        self._pending.append((images, indices, dist))
        self.num_pending += len(images)

    def merge(self) -> None:
        """Put the candidates into the lists.

        What is pending for an image comes after all in its list, and of equal distances the lower
        index first, so a stable sort by distance keeps them in order.
        """
        if not self._pending:
            return
        old = np.flatnonzero(np.isfinite(self._dist.ravel()))
        lists = (old // self._count, self.nearest.ravel()[old], self._dist.ravel()[old])
        image, index, dist = (np.concatenate(c) for c in zip(lists, *self._pending))
        self._pending, self.num_pending = [], 0
        order = np.argsort(sort_keys(image, dist), kind="stable")
        image, index, dist = image[order], index[order], dist[order]
        lengths = np.bincount(image, minlength=len(self._dist))
        place = np.arange(len(image)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = place < self._count
        self.nearest[image[kept], place[kept]] = index[kept]
        self._dist[image[kept], place[kept]] = dist[kept]


def sort_keys(image: np.ndarray, dist: np.ndarray) -> np.ndarray:
    """Make keys that order by image, then by distance; one number sorts faster than a pair.

    Args:
        image: (M,) numbers of images.
        dist: (M,) float32 distances.

    Returns:
        (M,) int64.
    """
    # Adding 0 makes the two zeros equal; bits of negative numbers count backwards.
    bits = (dist + np.float32(0)).view(np.int32)
    return (image.astype(np.int64) << 32) + (bits ^ ((bits >> 31) & 0x7FFFFFFF))
