"""The cores on which MindSpore's kernels run.

MindSpore splits each kernel on a CPU over two threads or more, and the thread that waits for the
others gives its core away (``sched_yield``) until they are done. If another program waits for that
core, it gets a time slice each time, some milliseconds, however small the kernel is. If the other
threads of the kernel wait for it, no time is lost. So beside busy programs the threads of a process
are faster on a part of the cores, which they fill and from which the scheduler moves the others
away, than spread over all of them.

Which core a thread runs on does not change what it computes.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from .cores import visible_cores

_ROOT = Path("/")
# Names of the threads that start kernels, and of those that run parts of them.
_NAMES = ("ActorThread_", "KernelThread_")
_STEP_SECONDS = 0.02
# Share of the time in which a core is busy.
_NEARLY_FREE = 0.25
_CAN_CHOOSE = hasattr(os, "sched_setaffinity")


def kernel_cores(root: Path = _ROOT) -> set[int]:
    """Return the cores on which kernels of this process may run; empty before its first kernel.

    Args:
        root: folder of ``proc``.
    """
    return _cores_of_kernels(root / "proc" / "self")


def wait_for_kernel_threads(seconds: float = 2.0, root: Path = _ROOT) -> bool:
    """Wait until the threads that MindSpore starts with its first kernel can be recognized.

    A thread gets its name when it first runs, which can be after the end of the kernel; before, its
    ``schedstat`` counts no runs.

    Args:
        seconds: the longest wait.
        root: folder of ``proc``.

    Returns:
        Whether threads that run parts of kernels are there, and no new ones appear.
    """
    end, before = time.monotonic() + seconds, -1
    while time.monotonic() < end:
        process = root / "proc" / "self"
        names = list(_names_of_kernel_threads(process).values())
        has_parts = any(name.startswith(_NAMES[1]) for name in names)
        if len(names) == before and has_parts and _all_have_run(process):
            return True
        before = len(names)
        time.sleep(_STEP_SECONDS)
    return False


def keep_kernels_on(cores: Collection[int], root: Path = _ROOT) -> bool:
    """Let the kernels of this process run on some cores only; its other threads stay as they are.

    Args:
        cores: numbers of cores, at least one.
        root: folder of ``proc``.

    Returns:
        Whether all threads of kernels are on these cores now; False before the first kernel.
    """
    if not _CAN_CHOOSE:
        return False
    for thread in _names_of_kernel_threads(root / "proc" / "self"):
        # A thread may have ended, and a container may have lost a core.
        with suppress(OSError):
            os.sched_setaffinity(thread, cores)
    return kernel_cores(root) == set(cores)


def free_cores(
    count: int, by_core: Mapping[int, float], now: Collection[int] = (), root: Path = _ROOT
) -> set[int]:
    """Choose cores for the kernels of this process.

    Those where no other process keeps its kernels come first, then those that are least busy. Among
    equal ones chance decides, so that two processes seldom choose the same.

    Args:
        count: how many cores.
        by_core: number of a core -> share of the time in which it is busy.
        now: cores on which the kernels run now. Only others that are nearly free are better, as the
            load of these is that of the kernels.
        root: folder of ``proc``.
    """
    taken, chance = _taken(root), random.SystemRandom()

    def rank(core: int) -> tuple[int, float, float]:
        if core in now:
            return 0, _NEARLY_FREE, chance.random()
        is_free = bool(now) and by_core[core] < _NEARLY_FREE
        return taken[core], 0.0 if is_free else round(by_core[core], 1), chance.random()

    return set(sorted(by_core, key=rank)[:count])


def cores_of_rank(rank: int, ranks: int) -> set[int]:
    """Return the part of the cores of one of several processes that work together on a machine.

    Args:
        rank: its number on this machine, from 0.
        ranks: how many they are; with fewer cores, some have the same core.
    """
    cores = sorted(visible_cores())
    first = rank * len(cores) // ranks
    return set(cores[first : max(first + 1, (rank + 1) * len(cores) // ranks)])


def _taken(root: Path) -> Counter[int]:
    """Count for each core the other processes that keep their kernels on a part of the cores."""
    everywhere, taken = visible_cores(), Counter[int]()
    for process in _inside(root / "proc"):
        if process.name.isdecimal() and int(process.name) != os.getpid():
            cores = _cores_of_kernels(process)
            if not cores >= everywhere:
                taken.update(cores)
    return taken


def _all_have_run(process: Path) -> bool:
    """Tell whether each thread of a process has run; True where the kernel does not count runs."""
    for thread in _inside(process / "task"):
        with suppress(OSError, UnicodeDecodeError):
            counts = (thread / "schedstat").read_text(encoding="ascii").split()
            if counts[2:3] == ["0"]:
                return False
    return True


def _cores_of_kernels(process: Path) -> set[int]:
    found: set[int] = set()
    for thread in _names_of_kernel_threads(process):
        found |= _affinity(thread)
    return found


def _names_of_kernel_threads(process: Path) -> dict[int, str]:
    """Return the ids and names of the threads of a process that run kernels."""
    found = {}
    for thread in _inside(process / "task"):
        try:
            name = (thread / "comm").read_bytes().decode(errors="replace")
        except OSError:
            # The thread has ended.
            continue
        if name.startswith(_NAMES):
            found[int(thread.name)] = name
    return found


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        # The process has ended, belongs to somebody else, or there is no such system.
        return []


def _affinity(thread: int) -> set[int]:
    if _CAN_CHOOSE:
        with suppress(OSError):
            return os.sched_getaffinity(thread)
    return set()
