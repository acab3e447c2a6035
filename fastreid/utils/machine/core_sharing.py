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

# With a larger share of its cores free, a process runs its kernels on all of them.
ENOUGH_FREE = 0.75
# A thread that shares its core with one other program waits as long as it runs.
_WAIT_FOR_EACH_SECOND = 5.0
# In an interval with less work than this share of it, a process learns nothing about others.
_MOSTLY_IDLE = 0.2
# In so many intervals without a look, others may have come and gone: only a new one starts.
_STALE_INTERVALS = 12
# Looks in a row after which kernels move to more cores: others may only have paused.
_LOOKS_FOR_MORE = 2
# So many moves are logged for the user, later ones for debugging.
_MOVES_LOGGED = 5


class Message(NamedTuple):
    """A line for the log.

    Attributes:
        text: the line.
        level: its level, as in `logging`.
    """

    text: str
    level: int


def is_crowded(cores: int, visible: int, elsewhere: float | None) -> bool:
    """Tell whether other programs leave a process too little of its cores to run kernels on all.

    Args:
        cores: cores that it may use.
        visible: cores that it may run on; more than `cores` where a quota limits them.
        elsewhere: how many of these other programs keep busy; None: unknown.
    """
    return elsewhere is not None and visible - elsewhere < ENOUGH_FREE * cores


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

    Kernels that run on some of them already leave these only for cores that are nearly free.

    Args:
        count: how many cores.
        by_core: number of a core -> share of the time in which it is busy (`Busy.by_core`).

    Returns:
        Whether anything has changed.
    """
    before = kernel_cores()
    shorter = not has_short_time_slices() and shorten_time_slices()
    if count < len(by_core):
        # Where kernels run on all cores, nothing tells their load from that of others.
        now = before if before < set(by_core) else set()
        keep_kernels_on(free_cores(count, by_core, now))
    return shorter or kernel_cores() != before


class CoreSharing:
    """Looks at intervals who else uses the cores, and moves the kernels of this process.

    They run on a part of the cores beside programs that use many of them, and on all of them when
    these have ended. `fastreid.engine.set_device_and_mode` makes the first choice. An object is for
    one thread.

    Args:
        seconds: length of the intervals.
        moves: whether to move kernels; False: only warn. Ranks, other devices than CPUs and a
            setting of DISPATCH_THREADS forbid it (`fastreid.engine.cpu.moves_kernels`).
    """

    def __init__(self, seconds: float = 10.0, *, moves: bool = False) -> None:
        self._seconds = seconds
        self._has_warned = False
        self._num_moves = self._looks_for_more = 0
        self._start = time.monotonic()
        self._others = BusyMeter() if moves else None
        self._last = read_run_delay()

    def report(self, log: logging.Logger) -> None:
        """Look, and log what there is to say.

        Args:
            log: gets the line.
        """
        message = self.look()
        if message:
            log.log(message.level, message.text)

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
        self._start = now
        busy = self._others.look() if self._others else None
        delay = self._delay()
        if seconds > _STALE_INTERVALS * self._seconds:
            return None
        if delay and delay.ran + delay.waited < _MOSTLY_IDLE * seconds:
            return None
        change = self._move(busy) if busy else ""
        if delay and is_starved(delay, seconds) and not self._has_warned:
            self._has_warned = True
            return Message(_warning(delay, seconds, change or _cause(busy)), logging.WARNING)
        level = logging.INFO if self._num_moves <= _MOVES_LOGGED else logging.DEBUG
        return Message(change, level) if change else None

    def _delay(self) -> RunDelay | None:
        before, self._last = self._last, read_run_delay()
        if before is None or self._last is None:
            return None
        return self._last.since(before)

    def _move(self, busy: Busy) -> str:
        """Move the kernels; return what has changed."""
        visible, now = visible_cores(), kernel_cores()
        if not now or not now <= visible:
            # There are no kernels yet, or the user has bound the main thread to other cores.
            return ""
        shares = (num_cores(), len(visible), busy.elsewhere)
        crowded = is_crowded(*shares)
        count = cores_beside_others(*shares) if crowded else len(visible)
        self._looks_for_more = self._looks_for_more + 1 if count > len(now) else 0
        if 0 < self._looks_for_more < _LOOKS_FOR_MORE:
            return ""
        if crowded:
            changed = share_cores(count, busy.by_core)
        else:
            changed = now < visible and keep_kernels_on(visible)
        if not changed:
            return ""
        self._looks_for_more, self._num_moves = 0, self._num_moves + 1
        slices = ", with short time slices" if crowded and has_short_time_slices() else ""
        where = f"{describe_cores(kernel_cores())}{slices}" if crowded else "all cores"
        return (
            f"Other programs use {busy.elsewhere:.1f} of {len(visible)} cores: from now on, "
            f"kernels run on {where}"
        )


def describe_cores(cores: Collection[int]) -> str:
    """Return the names of cores for a message, such as "core 3" or "5 cores"."""
    return f"core {min(cores)}" if len(cores) == 1 else f"{len(cores)} cores"


def _cause(busy: Busy | None) -> str:
    """Return why a process is starved, as far as it is known."""
    if busy is None:
        return "Other programs, other ranks or data workers use the cores"
    if is_crowded(num_cores(), len(visible_cores()), busy.elsewhere):
        return "Other programs use the cores"
    return "Its own processes, such as data workers (DATALOADER.NUM_WORKERS), use the cores"


def _warning(delay: RunDelay, seconds: float, cause: str) -> str:
    return (
        f"In the last {seconds:.0f} s, the threads of this process ran for {delay.ran:.1f} s and "
        f"waited for a core for {delay.waited:.0f} s. {cause}. To make this run faster, run fewer "
        "programs or workers, give others a lower priority (renice), or give it cores of its own "
        "(taskset; docs/performance.md)"
    )
