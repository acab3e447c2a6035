"""The recent past of one number, and its mean over all time."""

from __future__ import annotations

from collections import deque

import numpy as np


class HistoryBuffer:
    """Values of one scalar by iteration.

    Args:
        max_length: how many recent values are kept; older ones still count in `global_avg`.
    """

    def __init__(self, max_length: int = 1_000_000) -> None:
        self._values: deque[tuple[float, int]] = deque(maxlen=max_length)
        self._count = 0
        self._sum = 0.0

    def update(self, value: float, iteration: int) -> None:
        """Add a value."""
        self._values.append((value, iteration))
        self._count += 1
        self._sum += value

    def latest(self) -> float:
        """Give the last value."""
        return self._values[-1][0]

    def median(self, window: int) -> float:
        """Median of the last `window` values."""
        return float(np.median(self._recent(window)))

    def avg(self, window: int) -> float:
        """Mean of the last `window` values."""
        return float(np.mean(self._recent(window)))

    def global_avg(self) -> float:
        """Mean of all values ever added."""
        return self._sum / self._count

    def values(self) -> list[tuple[float, int]]:
        """All kept values with their iterations."""
        return list(self._values)

    def _recent(self, window: int) -> list[float]:
        first = max(len(self._values) - window, 0)
        return [self._values[index][0] for index in range(first, len(self._values))]
