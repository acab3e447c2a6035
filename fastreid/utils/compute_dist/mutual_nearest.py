"""Nearest neighbours within one set of features; each pair's distance is computed once."""

from __future__ import annotations

import numpy as np

from ..processor.threads import row_pieces, run_on_threads
from .distances import DistanceRows
from .nearest import coordinates, nearest_in_block, nearest_indices

# Rows in a block. Fewer make the product slower, more take more memory.
BLOCK_ROWS = 1024
# Rows that a thread processes in one task.
ROWS_PER_TASK = 64
# Candidates are merged into the lists before there are more than this many times the lists' length.
# Without the limit there would be too many when neighbouring images are similar, as in videos.
MOST_PENDING = 4


def mutual_nearest(distances: DistanceRows, count: int) -> np.ndarray:
    """Find the nearest neighbours of every row; equal distances are ordered by index.

    Only the blocks on and right of the diagonal are computed. Each one updates the lists of its
    rows and of its columns.

    Args:
        distances: (N, N) distances of a set of features to itself.
        count: neighbours per row, the row itself included.

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
        # Merges at 1, 2, 4, ... blocks suffice: the lists change less and less.
        if number + 1 == merge_at or lists.num_pending > MOST_PENDING * lists.nearest.size:
            lists.merge()
        if number + 1 == merge_at:
            merge_at *= 2
    lists.merge()
    return lists.nearest


class NeighbourLists:
    """The nearest neighbours found so far, and candidates that are not merged yet.

    Args:
        num_images: N.
        count: neighbours per image.

    Attributes:
        nearest: (N, count) int32 indices of the neighbours, nearest first, at the last merge.
        num_pending: candidates since the last merge.
    """

    def __init__(self, num_images: int, count: int) -> None:
        self.nearest = np.zeros((num_images, count), np.int32)
        self._dist = np.full((num_images, count), np.inf, np.float32)
        self._count = count
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.num_pending = 0

    def take_in(self, block: np.ndarray, start: int) -> None:
        """Collect the candidates of a block.

        Args:
            block: (R, N - start) distances from R images to all images, both from `start` on.
            start: index of the first image.
        """
        height, width = block.shape
        limits = self._dist[start + height :, -1]
        if len(limits) and np.isinf(limits[-1]):
            # The first block: the lists are empty.
            columns = _transposed(block[:, height:])
            self._add_nearest(columns, self._count, image=height, index=0)
        else:
            self._add_nearer(block[:, height:], limits, start)
        self._add_nearest(block, min(self._count, width), image=start, index=start)

    def _add_nearest(self, block: np.ndarray, count: int, *, image: int, index: int) -> None:
        near = nearest_in_block(block, count)
        dist = np.take_along_axis(block, near, axis=1)
        images = np.repeat(np.arange(image, image + len(block)), count)
        self._add(images, near.ravel() + np.int32(index), dist.ravel())

    def _add_nearer(self, block: np.ndarray, limits: np.ndarray, start: int) -> None:
        """Collect the rows that are nearer to a column than its last neighbour.

        The lists are full and contain lower indices only, which win at equal distances.
        """
        height = len(block)

        def search(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            dist = block[rows]
            row, column = coordinates(dist < limits)
            found = (row + rows.start + start).astype(np.int32)
            return column + start + height, found, dist[row, column]

        pieces = [slice(s, min(s + ROWS_PER_TASK, height)) for s in range(0, height, ROWS_PER_TASK)]
        for found in run_on_threads(search, pieces):
            self._add(*found)

    def _add(self, images: np.ndarray, indices: np.ndarray, dist: np.ndarray) -> None:
        self._pending.append((images, indices, dist))
        self.num_pending += len(images)

    def merge(self) -> None:
        """Merge the candidates into the lists.

        Candidates have higher indices than the list entries and are sorted by index themselves, so
        a stable sort by distance orders equal distances by index.
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


def _transposed(matrix: np.ndarray) -> np.ndarray:
    """Return the transpose as a new array in C order."""
    transposed = np.empty(matrix.shape[::-1], matrix.dtype)

    def copy(rows: slice) -> None:
        transposed[rows] = matrix[:, rows].T

    run_on_threads(copy, row_pieces(slice(0, len(transposed)), BLOCK_ROWS))
    return transposed


def sort_keys(image: np.ndarray, dist: np.ndarray) -> np.ndarray:
    """Combine image and distance into one sortable number: faster than sorting by two keys.

    Args:
        image: (M,) index of the image.
        dist: (M,) float32 distance.

    Returns:
        (M,) int64.
    """
    # Adding 0 makes -0 and +0 equal. The bits of negative floats sort in reverse and are flipped.
    bits = (dist + np.float32(0)).view(np.int32)
    return (image.astype(np.int64) << 32) + (bits ^ ((bits >> 31) & 0x7FFFFFFF))
