"""`StarvationWatch`: notices when other programs leave a run no time on the cores."""

from __future__ import annotations

import logging
import time

from fastreid.utils.machine import RunDelay, read_run_delay, shorten_time_slices

from ..train_loop import HookBase

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)

# A thread that shares its core with one other program waits as long as it runs.
_WAIT_FOR_EACH_SECOND = 5.0


def is_starved(delay: RunDelay, seconds: float) -> bool:
    """Tell whether the threads of a process wait for a core much more than they run.

    Args:
        delay: what its threads did in an interval.
        seconds: length of the interval.
    """
    return delay.waited > seconds / 2 and delay.waited > _WAIT_FOR_EACH_SECOND * delay.ran


class StarvationWatch(HookBase):
    """Log a warning, once, when the run waits for a core for almost all of its time.

    It also asks the scheduler for short time slices then, which shorten the waits of MindSpore's
    threads for each other.

    Args:
        seconds: length of the intervals that are looked at.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self._last: RunDelay | None = None

    def before_train(self) -> None:
        """Start the first interval."""
        self._start = time.monotonic()
        self._last = read_run_delay()

    def after_step(self) -> None:
        """End an interval that is over, and look at it."""
        now = time.monotonic()
        if self._last is None or now - self._start < self._seconds:
            return
        found = read_run_delay()
        if found is not None:
            delay = found.since(self._last)
            if is_starved(delay, now - self._start):
                self._warn(delay, now - self._start)
                found = None
        self._start, self._last = now, found

    @staticmethod
    def _warn(delay: RunDelay, seconds: float) -> None:
        shorter = shorten_time_slices()
        logger.warning(
            "In the last %.0f s, the threads of this process ran for %.1f s and waited for a core "
            "for %.0f s: other programs use the cores. %sRun fewer of them, give them a lower "
            "priority (renice), or give this run cores of its own (taskset). Small images or "
            "models wait less with DISPATCH_THREADS 2 (docs/performance.md)",
            *(seconds, delay.ran, delay.waited),
            "From now on this process asks for short time slices. " if shorter else "",
        )
