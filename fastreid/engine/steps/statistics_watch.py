"""Running statistics under watch: whether they are finite, and a copy of the last that were.

A forward pass moves them before anybody knows whether its step is sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops


class StatisticsWatch(nn.Cell):
    """Look at running means and variances inside a compiled step, all of them at once.

    The copy is one vector: joining hundreds of small ones costs less than copying each.

    Args:
        statistics: (C,) each, float32; there may be none.
    """

    def __init__(self, statistics: Sequence[Parameter]) -> None:
        super().__init__(auto_prefix=False)
        self.statistics = tuple(statistics)
        if self.statistics:
            start = np.concatenate([each.asnumpy() for each in self.statistics])
            self.kept = Parameter(Tensor(start), name="kept_statistics", requires_grad=False)
            self.zeros = ops.zeros((len(start), 1), ms.float32)

    def judge(self, total: Tensor) -> Tensor:
        """Make a scalar NaN where a statistic is not finite, once the scalar is computed."""
        if not self.statistics:
            return total
        return total + ops.matmul(self._joined(total).reshape(1, -1), self.zeros).reshape(())

    def keep(self, after: Tensor) -> Tensor:
        """Copy the statistics, once `after`, of any shape, is computed; gives `after` back."""
        if not self.statistics:
            return after
        return ops.depend(after, ops.assign(self.kept, self._joined(after)))

    def remember(self) -> None:
        """Copy the statistics from outside of a step: before the first one."""
        if self.statistics:
            values = np.concatenate([each.asnumpy() for each in self.statistics])
            ops.assign(self.kept, Tensor(values))

    def restore(self) -> None:
        """Give the statistics the values of the copy."""
        first = 0
        kept = self.kept.asnumpy() if self.statistics else None
        for each in self.statistics:
            ops.assign(each, Tensor(kept[first : first + each.size].copy()))
            first += each.size

    def _joined(self, after: Tensor) -> Tensor:
        # The first waits, so the join does.
        first = ops.depend(self.statistics[0], after)
        return ops.cat((first,) + self.statistics[1:])


def not_finite(parameters: Sequence[Parameter]) -> list[str]:
    """Name the parameters, of any shapes, that hold a number that is infinite or NaN."""
    return [each.name for each in parameters if not np.isfinite(each.asnumpy()).all()]
