"""Checks that running statistics are finite, and keeps a copy of the last finite ones.

A forward pass updates them before it is known whether its step is finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops


class StatisticsWatch(nn.Cell):
    """Check and copy running means and variances inside a compiled step, all of them at once.

    The copy is one vector: concatenating hundreds of small vectors costs less than copying each.

    Args:
        statistics: running means and variances, (C,) each, float32; may be empty.
    """

    def __init__(self, statistics: Sequence[Parameter]) -> None:
        super().__init__(auto_prefix=False)
        self.statistics = tuple(statistics)
        if self.statistics:
            start = np.concatenate([each.asnumpy() for each in self.statistics])
            self.kept = Parameter(Tensor(start), name="kept_statistics", requires_grad=False)
            self.zeros = ops.zeros((len(start), 1), ms.float32)

    def nan_unless_finite(self, total: Tensor) -> Tensor:
        """Return NaN if a statistic is not finite, else the argument.

        Args:
            total: a scalar; the statistics are read after it is computed.
        """
        if not self.statistics:
            return total
        return total + ops.matmul(self._concatenated(total).reshape(1, -1), self.zeros).reshape(())

    def keep(self, after: Tensor) -> Tensor:
        """Copy the statistics.

        Args:
            after: a tensor of any shape; the copy is made after it is computed.

        Returns:
            The argument, available once the copy is made.
        """
        if not self.statistics:
            return after
        return ops.depend(after, ops.assign(self.kept, self._concatenated(after)))

    def remember(self) -> None:
        """Copy the statistics outside of a compiled step: before the first one."""
        if self.statistics:
            values = np.concatenate([each.asnumpy() for each in self.statistics])
            ops.assign(self.kept, Tensor(values))

    def restore(self) -> None:
        """Set the statistics to the values of the copy."""
        if not self.statistics:
            return
        first, kept = 0, self.kept.asnumpy()
        for each in self.statistics:
            ops.assign(each, Tensor(kept[first : first + each.size].copy()))
            first += each.size

    def _concatenated(self, after: Tensor) -> Tensor:
        # The first one depends on `after`, hence the concatenation does.
        first = ops.depend(self.statistics[0], after)
        return ops.cat((first,) + self.statistics[1:])


def not_finite(parameters: Sequence[Parameter]) -> list[str]:
    """List the names of the parameters, of any shapes, that contain an infinite number or NaN."""
    return [each.name for each in parameters if not np.isfinite(each.asnumpy()).all()]
