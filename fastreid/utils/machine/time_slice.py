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


def shorten_time_slices(nanoseconds: int = SHORTEST_NANOSECONDS) -> bool:
    """Ask for shorter time slices for all threads of this process and those that they start.

    Args:
        nanoseconds: length of a slice.

    Returns:
        Whether the system grants it. Systems that do not, change nothing.
    """
    calls = _CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return all([_shorten(libc, calls, thread, nanoseconds) for thread in threads])


def _shorten(libc: ctypes.CDLL, calls: tuple[int, int], thread: int, nanoseconds: int) -> bool:
    set_attributes, get_attributes = calls
    found = _Attributes()
    size = ctypes.sizeof(found)
    if libc.syscall(get_attributes, thread, ctypes.byref(found), size, 0) != 0:
        # A thread that has ended needs no slices.
        return ctypes.get_errno() == errno.ESRCH
    if found.policy not in _NORMAL_POLICIES:
        return False
    found.size, found.runtime = size, nanoseconds
    if libc.syscall(set_attributes, thread, ctypes.byref(found), 0) != 0:
        return False
    libc.syscall(get_attributes, thread, ctypes.byref(found), size, 0)
    return found.runtime == nanoseconds
