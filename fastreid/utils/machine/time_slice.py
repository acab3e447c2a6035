"""The time slice of the scheduler: how long another program runs when this one gives a core away.

Since Linux 6.12 a program may ask for shorter slices (``sched_setattr``). It gets the same share of
the cores, in smaller pieces.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import sys
from pathlib import Path

# The shortest slice that Linux grants.
SHORTEST_NANOSECONDS = 100_000
# Numbers of the system calls sched_setattr and sched_getattr.
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
_NORMAL_POLICIES = (0, 3)  # SCHED_OTHER, SCHED_BATCH


class _Attributes(ctypes.Structure):
    """The first version of ``struct sched_attr``."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def can_shorten_time_slices() -> bool:
    """Return whether the system grants time slices of a length that a program asks for."""
    found = _Scheduler().attributes(0) if _is_known() else None
    # Systems that do not grant them report no length.
    return found is not None and found.policy in _NORMAL_POLICIES and found.runtime > 0


def has_short_time_slices(nanoseconds: int = SHORTEST_NANOSECONDS) -> bool:
    """Return whether this thread has time slices of a length that a program asked for.

    Args:
        nanoseconds: length of a slice.
    """
    found = _Scheduler().attributes(0) if _is_known() else None
    return found is not None and found.runtime == nanoseconds


def shorten_time_slices(nanoseconds: int = SHORTEST_NANOSECONDS) -> bool:
    """Ask for shorter time slices for all threads of this process and those that they start.

    Args:
        nanoseconds: length of a slice.

    Returns:
        Whether the system grants it. Where it does not, nothing changes.
    """
    if not can_shorten_time_slices():
        return False
    scheduler = _Scheduler()
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return all([scheduler.shorten(thread, nanoseconds) for thread in threads])


def _is_known() -> bool:
    return sys.platform == "linux" and platform.machine() in _CALLS


class _Scheduler:
    """The two system calls, which the C library has no functions for."""

    def __init__(self) -> None:
        self._set, self._get = _CALLS[platform.machine()]
        self._libc = ctypes.CDLL(None, use_errno=True)

    def attributes(self, thread: int) -> _Attributes | None:
        """Return what the scheduler knows about a thread; None if it does not answer."""
        found = _Attributes()
        size = ctypes.sizeof(found)
        answer = self._libc.syscall(self._get, thread, ctypes.byref(found), size, 0)
        return found if answer == 0 else None

    def shorten(self, thread: int, nanoseconds: int) -> bool:
        """Ask for slices of a length; return whether they are granted, or the thread has ended."""
        found = self.attributes(thread)
        if found is None:
            return ctypes.get_errno() == errno.ESRCH
        found.size, found.runtime = ctypes.sizeof(found), nanoseconds
        if self._libc.syscall(self._set, thread, ctypes.byref(found), 0) != 0:
            return ctypes.get_errno() == errno.ESRCH
        granted = self.attributes(thread)
        return granted is None or granted.runtime == nanoseconds
