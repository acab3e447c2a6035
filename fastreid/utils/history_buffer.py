"""The recent past of one number."""

from __future__ import annotations

from collections import deque

import numpy as np


class HistoryBuffer:
    """Values of one scalar by iteration.

    Args:
        max_length: how many recent values are kept.
    """

    def __init__(self, max_length: int = 1_000_000) -> None:
        self._values: deque[tuple[float, int]] = deque(maxlen=max_length)

    def update(self, value: float, iteration: int) -> None:
        """Add a value."""
        self._values.append((value, iteration))

    def latest(self) -> float:
        """Give the last value."""
        return self._values[-1][0]

    def median(self, window: int) -> float:
        """Median of the last `window` values."""
        return float(np.median(self._recent(window)))

    def avg(self, window: int) -> float:
        """Mean of the last `window` values."""
        return float(np.mean(self._recent(window)))

    def values(self) -> list[tuple[float, int]]:
        """All kept values with their iterations."""
        return list(self._values)

    def _recent(self, window: int) -> list[float]:
        first = max(len(self._values) - window, 0)
        return [self._values[index][0] for index in range(first, len(self._values))]
