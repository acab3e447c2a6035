"""Processor time and memory of a process and its descendants, from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """Return the ids of a process and its running descendants."""
    pids = [pid]
    for parent in pids:
        for children in _PROC.glob(f"{parent}/task/*/children"):
            pids += [int(child) for child in children.read_text().split()]
    return pids


def processor_seconds(pids: list[int]) -> float:
    """Return the total user and system time of processes."""
    ticks = 0
    for pid in pids:
        # The name, in parentheses, can contain spaces; user and system time are fields 14 and 15.
        fields = (_PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_SECOND


def memory_mb(pids: list[int]) -> float:
    """Return the memory of processes; shared pages are counted once (proportional set size)."""
    total = 0
    for pid in pids:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
