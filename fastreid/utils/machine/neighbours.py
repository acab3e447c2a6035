"""How much of the cores of this process other programs use."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .cores import visible_cores

_ROOT = Path("/")


def busy_elsewhere(seconds: float = 0.2, root: Path = _ROOT) -> float | None:
    """Measure how many of the cores of this process other programs keep busy; it waits meanwhile.

    Programs of lower priority (``nice``) are not counted: they give way.

    Args:
        seconds: length of the measurement.
        root: folder of ``proc``.

    Returns:
        Cores, at least 0; None where ``/proc/stat`` cannot be read.
    """
    # The clock is read around the counts: time that a wait between them takes lowers the result.
    start = time.monotonic()
    own, before = _own_seconds(), _busy_seconds(root)
    if before is None:
        return None
    time.sleep(seconds)
    after = _busy_seconds(root)
    if after is None:
        return None
    others = (after - before) - (_own_seconds() - own)
    return max(0.0, others / (time.monotonic() - start))


def _busy_seconds(root: Path) -> float | None:
    """Return the time that our cores have spent on user code of normal priority and the system."""
    try:
        lines = (root / "proc" / "stat").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    ours = {f"cpu{number}" for number in visible_cores()}
    ticks = []
    for line in lines:
        name, *times = line.split()[:4]
        if name in ours and len(times) == 3 and times[0].isdecimal() and times[2].isdecimal():
            user, _, system = times
            ticks.append(int(user) + int(system))
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if len(ticks) == len(ours) else None


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system
