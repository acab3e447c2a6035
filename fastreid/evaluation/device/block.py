"""Distances of some queries that stay on a GPU or NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreid.utils.compute_dist.nearest import nearest_in_block

if TYPE_CHECKING:
    from mindspore import Tensor

# With more near distances than this in a row, all places are copied instead of searched.
MOST_SEARCHED = 1024
# Up to here, float32 counts exactly.
MOST_COLUMNS = 2**24


class DeviceBlock:
    """Distances (R, G) on the device.

    Numbers of distances are counted by products with ones, because reductions fail on some GPUs.

    Args:
        distances: (R, G) float32.
    """

    def __init__(self, distances: Tensor) -> None:
        from mindspore import ops

        self._distances = distances
        self.shape = tuple(distances.shape)
        self._ones = ops.ones((self.shape[1], 1), distances.dtype)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Copy some rows to the host.

        Args:
            indices: (I,) indices of the rows.

        Returns:
            (I, G) float32.
        """
        from mindspore import Tensor, ops

        return ops.gather(self._distances, Tensor(indices.astype(np.int32)), 0).asnumpy()

    def take(self, columns: np.ndarray) -> np.ndarray:
        """Copy some columns of each row to the host.

        Args:
            columns: (R, C) indices of columns.

        Returns:
            (R, C) float32.
        """
        if not columns.size:
            return np.empty(columns.shape, np.float32)
        return self._take(columns).asnumpy()

    def replace(self, places: np.ndarray, values: np.ndarray) -> None:
        """Write distances.

        Args:
            places: (P,) places in the flattened block, without duplicates.
            values: (P,) float32.
        """
        from mindspore import Tensor, ops

        indices = np.stack(np.divmod(places, self.shape[1]), axis=1).astype(np.int32)
        write = ops.TensorScatterUpdate()
        self._distances = write(self._distances, Tensor(indices), Tensor(values))

    def below(self, limits: np.ndarray, most: int) -> np.ndarray | None:
        """Find the distances below a limit of their row.

        Args:
            limits: (R,) float32.
            most: maximum number of places.

        Returns:
            Their places in the flattened block, ascending; None if there are more than `most`.
        """
        from mindspore import Tensor, ops

        is_below = ops.less(self._distances, Tensor(limits[:, np.newaxis]))
        counts = self._count(is_below).astype(np.int64)
        if counts.sum() > most:
            return None
        longest = int(counts.max(initial=0))
        if not longest:
            return np.empty(0, np.int64)
        if longest > MOST_SEARCHED:
            return np.flatnonzero(is_below.asnumpy())
        _, columns = ops.TopK(sorted=True)(-self._distances, longest)
        rows, order = np.nonzero(np.arange(longest) < counts[:, np.newaxis])
        return np.sort(rows * self.shape[1] + columns.asnumpy()[rows, order])

    def count_before(self, columns: np.ndarray) -> np.ndarray:
        """Count how many distances of a row are ranked before some of its own by a stable sort.

        Args:
            columns: (R, C) indices of the columns to compare with.

        Returns:
            (R, C) int64: the number of columns with a smaller distance, or with an equal one and a
            lower index.
        """
        from mindspore import Tensor, ops

        before = np.empty(columns.shape, np.int64)
        if not columns.size:
            return before
        own, wanted = self._take(columns), Tensor(columns.astype(np.int32))
        indices = Tensor(np.arange(self.shape[1], dtype=np.int32)[np.newaxis])
        for number in range(columns.shape[1]):
            limit, column = own[:, number : number + 1], wanted[:, number : number + 1]
            is_tied = ops.logical_and(ops.equal(self._distances, limit), ops.less(indices, column))
            is_before = ops.logical_or(ops.less(self._distances, limit), is_tied)
            before[:, number] = self._count(is_before)
        return before

    def invalid_rows(self) -> np.ndarray:
        """Find the rows with a distance that is not a number.

        Returns:
            Their indices, ascending.
        """
        from mindspore import ops

        valid = self._count(ops.equal(self._distances, self._distances))
        return np.flatnonzero(valid < self.shape[1])

    def nearest(self, count: int) -> np.ndarray:
        """Find the nearest columns of every row; equal distances are ordered by index.

        Args:
            count: neighbours per row, at most G.

        Returns:
            (R, count) int32, nearest first.
        """
        from mindspore import ops

        # One more shows whether the last neighbour has equals that are not in the list.
        searched = min(count + 1, self.shape[1])
        negative, columns = ops.TopK(sorted=True)(-self._distances, searched)
        distances, found = -negative.asnumpy(), columns.asnumpy()
        order = np.lexsort((found, distances))
        nearest = np.take_along_axis(found, order, axis=1)[:, :count].astype(np.int32)
        if searched > count:
            cut = np.flatnonzero(distances[:, count - 1] == distances[:, count])
            if len(cut):
                nearest[cut] = nearest_in_block(self.rows(cut), count)
        return nearest

    def _take(self, columns: np.ndarray) -> Tensor:
        from mindspore import Tensor, ops

        return ops.gather_elements(self._distances, 1, Tensor(columns.astype(np.int32)))

    def _count(self, chosen: Tensor) -> np.ndarray:
        """Count the True elements of each row of (R, G): (R,)."""
        from mindspore import ops

        total = ops.MatMul()(ops.cast(chosen, self._ones.dtype), self._ones)
        return total.asnumpy()[:, 0]
