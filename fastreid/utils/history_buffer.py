"""The recorded values of one scalar, with medians and means over the latest ones."""

from __future__ import annotations

from collections import deque

import numpy as np


class HistoryBuffer:
    """Values of one scalar with their iterations.

    Args:
        max_length: number of values that are kept; older ones are dropped.

    Examples:
        >>> from fastreid.utils.history_buffer import HistoryBuffer
        >>> losses = HistoryBuffer()
        >>> for iteration, loss in enumerate([9.0, 4.0, 1.0, 2.0]):
        ...     losses.update(loss, iteration)
        >>> losses.latest(), losses.median(3), losses.avg(2)
        (2.0, 2.0, 1.5)
    """

    def __init__(self, max_length: int = 1_000_000) -> None:
        self._values: deque[tuple[float, int]] = deque(maxlen=max_length)

    def update(self, value: float, iteration: int) -> None:
        """Add a value."""
        self._values.append((value, iteration))

    def latest(self) -> float:
        """Return the latest value."""
        return self._values[-1][0]

    def median(self, window: int) -> float:
        """Return the median of the last `window` values."""
        return float(np.median(self._recent(window)))

    def avg(self, window: int) -> float:
        """Return the mean of the last `window` values."""
        return float(np.mean(self._recent(window)))

    def values(self) -> list[tuple[float, int]]:
        """Return all kept values with their iterations."""
        return list(self._values)

    def _recent(self, window: int) -> list[float]:
        first = max(len(self._values) - window, 0)
        return [self._values[index][0] for index in range(first, len(self._values))]
