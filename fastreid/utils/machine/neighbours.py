"""How much of the cores of this process other programs use."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .cores import visible_cores

_ROOT = Path("/")
# Counts go up in ticks, of 10 ms in most systems: a shorter interval says nothing.
_SHORTEST_SECONDS = 0.05
# Places in proc/ID/stat, counted from the state, which follows the name.
_USER, _SYSTEM, _NICE = 11, 12, 16


class Busy(NamedTuple):
    """What the cores of this process did in an interval, as a mean over it.

    Attributes:
        elsewhere: cores that other programs kept busy, at least 0.
        by_core: number of a core -> share of the time, 0 to 1, in which any program, this one too,
            kept it busy.
    """

    elsewhere: float
    by_core: Mapping[int, float]


class _Reading(NamedTuple):
    """Seconds since the start of the machine; the clock is read around the counts."""

    earliest: float
    latest: float
    own: float
    by_core: Mapping[int, float]


class BusyMeter:
    """Measures how busy the cores of this process are from one look to the next.

    Programs of lower priority (``nice``) are not counted, as they give way, except for the time
    that the system spends for them. Processes that this one has started, such as workers that load
    data, count as its own.

    Args:
        root: folder of ``proc``.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._last = _read(root)

    def look(self) -> Busy | None:
        """Return what happened since the last look, or since this object was made.

        Returns:
            The means; None where ``/proc/stat`` cannot be read, or too little time has passed.
        """
        before, self._last = self._last, _read(self._root)
        after = self._last
        if before is None or after is None:
            return None
        # Time that a wait between the readings takes lowers the result.
        seconds = after.latest - before.earliest
        if seconds < _SHORTEST_SECONDS:
            return None
        by_core = {
            core: (after.by_core[core] - busy) / seconds
            for core, busy in before.by_core.items()
            if core in after.by_core
        }
        # A child that has ended may be missing in one of the two readings.
        own = max(0.0, after.own - before.own) / seconds
        return Busy(max(0.0, sum(by_core.values()) - own), by_core)


def look_around(seconds: float = 0.2, root: Path = _ROOT) -> Busy | None:
    """Measure how busy the cores of this process are; it waits meanwhile.

    Args:
        seconds: length of the measurement.
        root: folder of ``proc``.

    Returns:
        The means; None where ``/proc/stat`` cannot be read.
    """
    meter = BusyMeter(root)
    time.sleep(seconds)
    return meter.look()


def _read(root: Path) -> _Reading | None:
    start = time.monotonic()
    own = _own_seconds(root)
    by_core = _busy_seconds(root)
    return None if by_core is None else _Reading(start, time.monotonic(), own, by_core)


def _busy_seconds(root: Path) -> dict[int, float] | None:
    """Return the time that our cores have spent on user code of normal priority and the system."""
    try:
        lines = (root / "proc" / "stat").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    ours = {f"cpu{number}": number for number in visible_cores()}
    found = {}
    for line in lines:
        name, *times = line.split()[:4]
        if name in ours and len(times) == 3 and times[0].isdecimal() and times[2].isdecimal():
            user, _, system = times
            found[ours[name]] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return found if len(found) == len(ours) else None


def _own_seconds(root: Path) -> float:
    """Return the time of this process and of those that it has started, as `_busy_seconds` counts.

    Children that have ended are taken for processes of the priority of this one.
    """
    times, is_nice = os.times(), _niceness() > 0
    system = times.system + times.children_system
    user = 0.0 if is_nice else times.user + times.children_user
    return system + user + sum(_seconds_of(root / "proc" / name) for name in _children(root))


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0


def _children(root: Path) -> set[str]:
    """Return the ids of the processes that this one has started and that run now."""
    lists = list((root / "proc" / "self" / "task").glob("*/children"))
    if lists:
        return {name for file in lists for name in _read_text(file).split()}
    # Without these files, which a kernel may leave out, every process is asked for its parent.
    parent = str(os.getpid())
    processes = {file.parent.name: _fields(file) for file in (root / "proc").glob("[0-9]*/stat")}
    return {name for name, fields in processes.items() if fields[1:2] == [parent]}


def _seconds_of(process: Path) -> float:
    fields = _fields(process / "stat")
    if len(fields) < _NICE + 1:
        return 0.0
    user, system, nice = (int(fields[place]) for place in (_USER, _SYSTEM, _NICE))
    return (system + (user if nice <= 0 else 0)) / os.sysconf("SC_CLK_TCK")


def _fields(file: Path) -> list[str]:
    """Return the fields of proc/ID/stat that follow the name, which may contain brackets."""
    return _read_text(file).rpartition(")")[2].split()


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # The process or the thread has ended.
        return ""
