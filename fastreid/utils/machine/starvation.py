"""Notices when other programs leave a process no time on the cores."""

from __future__ import annotations

import time

from .run_delay import RunDelay, read_run_delay
from .time_slice import has_short_time_slices, shorten_time_slices

# A thread that shares its core with one other program waits as long as it runs.
_WAIT_FOR_EACH_SECOND = 5.0


def is_starved(delay: RunDelay, seconds: float) -> bool:
    """Tell whether the threads of a process wait for a core much more than they run.

    Args:
        delay: what its threads did in an interval.
        seconds: length of the interval.
    """
    return delay.waited > seconds / 2 and delay.waited > _WAIT_FOR_EACH_SECOND * delay.ran


class StarvationMeter:
    """Measures, interval by interval, how long the threads of this process wait for a core.

    When they wait for almost all of an interval, it asks the scheduler for short time slices, which
    shorten the waits of MindSpore's threads for each other, unless the process has them.

    Args:
        seconds: length of the intervals.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self._start = time.monotonic()
        self._last = read_run_delay()

    def look(self) -> str:
        """End an interval that is over, and look at it.

        Returns:
            A warning with the ways out, once in the life of this object; else an empty string.
        """
        now = time.monotonic()
        if self._last is None or now - self._start < self._seconds:
            return ""
        found, warning = read_run_delay(), ""
        if found is not None:
            delay = found.since(self._last)
            if is_starved(delay, now - self._start):
                warning = _remedy(delay, now - self._start)
                found = None
        self._start, self._last = now, found
        return warning


def _remedy(delay: RunDelay, seconds: float) -> str:
    """Ask for short time slices, and return a warning."""
    shorter = not has_short_time_slices() and shorten_time_slices()
    asked = "From now on this process asks for short time slices. " if shorter else ""
    return (
        f"In the last {seconds:.0f} s, the threads of this process ran for {delay.ran:.1f} s and "
        f"waited for a core for {delay.waited:.0f} s: other programs use the cores. {asked}Run "
        "fewer of them, give them a lower priority (renice), or give this run cores of its own "
        "(taskset). Small images or models wait less with DISPATCH_THREADS 2 (docs/performance.md)"
    )
