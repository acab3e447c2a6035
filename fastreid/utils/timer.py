"""A stopwatch."""

from __future__ import annotations

import time


class Timer:
    """Measures the time since its start; it can be paused."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero."""
        self._before = 0.0
        self._started: float | None = time.perf_counter()
        self._num_starts = 1

    def pause(self) -> None:
        """Stop the clock until `resume`.

        Raises:
            ValueError: it is paused already.
        """
        if self._started is None:
            raise ValueError("The timer is paused already.")
        self._before = self.seconds()
        self._started = None

    def resume(self) -> None:
        """Let the clock run again.

        Raises:
            ValueError: it is not paused.
        """
        if self._started is not None:
            raise ValueError("The timer is not paused.")
        self._started = time.perf_counter()
        self._num_starts += 1

    def is_paused(self) -> bool:
        """Tell whether the clock is stopped."""
        return self._started is None

    def seconds(self) -> float:
        """Return the seconds since the start, without pauses."""
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return self._before + running

    def avg_seconds(self) -> float:
        """Return the mean seconds between a start or `resume` and the next pause."""
        return self.seconds() / self._num_starts
