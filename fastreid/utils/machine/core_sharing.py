"""Shares the cores with other programs: on how many of them a process runs its kernels."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from .cores import num_cores, visible_cores
from .kernel_threads import free_cores, keep_kernels_on, kernel_cores
from .neighbours import Busy, BusyMeter
from .run_delay import RunDelay, read_run_delay
from .time_slice import has_short_time_slices, shorten_time_slices

# With a larger share of its cores free, a process runs its kernels on all of them,
ENOUGH_FREE = 0.75
# and goes back to all of them only with this share, so that it does not move to and fro.
_AMPLE_FREE = 0.85
# A thread that shares its core with one other program waits as long as it runs.
_WAIT_FOR_EACH_SECOND = 5.0


class Message(NamedTuple):
    """A line for the log.

    Attributes:
        text: the line.
        level: its level, as in `logging`.
    """

    text: str
    level: int


def is_crowded(
    cores: int, visible: int, elsewhere: float | None, *, enough_free: float = ENOUGH_FREE
) -> bool:
    """Tell whether other programs leave a process too little of its cores to run kernels on all.

    Args:
        cores: cores that it may use.
        visible: cores that it may run on; more than `cores` where a quota limits them.
        elsewhere: how many of these other programs keep busy; None: unknown.
        enough_free: share of `cores` that is enough.
    """
    return elsewhere is not None and visible - elsewhere < enough_free * cores


def cores_beside_others(cores: int, visible: int, elsewhere: float) -> int:
    """Return on how many cores a process should run its kernels where it is crowded.

    Those that the others leave free, and at least half of its cores, which is its share beside
    programs that use all of them.

    Args:
        cores: cores that it may use.
        visible: cores that it may run on.
        elsewhere: how many of these other programs keep busy.

    Returns:
        From 1 to `cores`.
    """
    return max(1, cores // 2, cores - round(elsewhere * cores / visible))


def is_starved(delay: RunDelay, seconds: float) -> bool:
    """Tell whether the threads of a process wait for a core much more than they run.

    Args:
        delay: what its threads did in an interval.
        seconds: length of the interval.
    """
    return delay.waited > seconds / 2 and delay.waited > _WAIT_FOR_EACH_SECOND * delay.ran


def share_cores(count: int, by_core: Mapping[int, float]) -> bool:
    """Run the kernels of this process on some of its cores, with short time slices.

    Args:
        count: how many cores.
        by_core: number of a core -> share of the time in which it is busy (`Busy.by_core`).

    Returns:
        Whether anything has changed.
    """
    before = kernel_cores()
    shorter = not has_short_time_slices() and shorten_time_slices()
    keep_kernels_on(free_cores(count, by_core))
    return shorter or kernel_cores() != before


class CoreSharing:
    """Looks at intervals who else uses the cores, and moves the kernels of this process.

    They run on a part of the cores beside programs that use many of them, and on all of them when
    these have ended. `fastreid.engine.set_device_and_mode` makes the first choice.

    Args:
        seconds: length of the intervals.
        adapts: True: move kernels to fewer cores whenever others use many. False: only when the
            threads of this process wait for almost all of an interval.
        undoes: whether to move kernels back to all cores when the others have ended. Ranks have
            cores of their own, which stay.
    """

    def __init__(self, seconds: float = 10.0, *, adapts: bool = False, undoes: bool = True) -> None:
        self._seconds = seconds
        self._adapts = adapts
        self._undoes = undoes
        self._has_warned = False
        self._start = time.monotonic()
        self._others = BusyMeter()
        self._last = read_run_delay()

    def look(self) -> Message | None:
        """End an interval that is over, and look at it.

        Returns:
            What has changed; a warning with the ways out when this process gets almost no time,
            once in the life of this object. None: nothing to say.
        """
        now = time.monotonic()
        seconds = now - self._start
        if seconds < self._seconds:
            return None
        busy, delay = self._others.look(), self._delay()
        self._start = now
        starved = delay is not None and is_starved(delay, seconds)
        change = self._move(busy, crowded=starved or self._adapts) if busy else ""
        if delay and starved and not self._has_warned:
            self._has_warned = True
            return Message(_warning(delay, seconds, change), logging.WARNING)
        return Message(change, logging.INFO) if change else None

    def report(self, log: logging.Logger) -> None:
        """Look, and log what there is to say.

        Args:
            log: gets the line.
        """
        message = self.look()
        if message:
            log.log(message.level, message.text)

    def _delay(self) -> RunDelay | None:
        before, self._last = self._last, read_run_delay()
        if before is None or self._last is None:
            return None
        return self._last.since(before)

    def _move(self, busy: Busy, *, crowded: bool) -> str:
        """Move the kernels; return what has changed."""
        cores, visible, now = num_cores(), visible_cores(), kernel_cores()
        shares = (cores, len(visible), busy.elsewhere)
        if not now:
            return ""
        if now < visible:
            crowded = is_crowded(*shares, enough_free=_AMPLE_FREE)
            if not self._undoes or crowded or not keep_kernels_on(visible):
                return ""
            where = "all cores"
        else:
            crowded = crowded and is_crowded(*shares)
            if not crowded or not share_cores(cores_beside_others(*shares), busy.by_core):
                return ""
            where = f"{describe_cores(kernel_cores())}, with short time slices"
        return (
            f"Other programs use {busy.elsewhere:.1f} of {len(visible)} cores: from now on, "
            f"kernels run on {where}"
        )


def describe_cores(cores: Collection[int]) -> str:
    """Return the names of cores for a message, such as "core 3" or "5 cores"."""
    return f"core {min(cores)}" if len(cores) == 1 else f"{len(cores)} cores"


def _warning(delay: RunDelay, seconds: float, change: str) -> str:
    return (
        f"In the last {seconds:.0f} s, the threads of this process ran for {delay.ran:.1f} s and "
        f"waited for a core for {delay.waited:.0f} s. {change or 'Other programs use the cores'}. "
        "To make this run faster, run fewer other programs, give them a lower priority (renice), "
        "or give it cores of its own (taskset; docs/performance.md)"
    )
