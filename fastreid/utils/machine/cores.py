"""The number of cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

# Files of a control group's quota and period: one file in version 2, two in version 1.
_UNIFIED = ("cpu.max",)
_LEGACY = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def num_cores() -> int:
    """Return the number of cores that this process may use, at least 1.

    It is the number of processors of its affinity, and not more than the quota of its control
    groups, rounded up. A container with a quota of two cores on a machine with 64 has two.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = own_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


@lru_cache(maxsize=1)
def own_quota() -> float | None:
    """Return the CPU quota of this process, read once."""
    return cpu_quota()


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the smallest CPU quota of this process's control groups, in cores.

    Args:
        root: folder that contains proc and sys.

    Returns:
        The quota, or None if there is none.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    quotas = []
    for folder, names in _folders(lines, root / "sys/fs/cgroup"):
        quota = _quota(folder, names)
        if quota is not None:
            quotas.append(quota)
    return min(quotas, default=None)


def _folders(lines: list[str], mounted: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the folders of the process's groups and of those above, and the names of their files.

    In a container, the path of a group can be that outside of it, and only the root exists.
    """
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        places = [mounted / controllers, mounted / "cpu"] if controllers else [mounted]
        own = PurePosixPath(path.lstrip("/"))
        for place in places:
            for group in (own, *own.parents):
                yield place / group, _LEGACY if controllers else _UNIFIED


def _quota(folder: Path, names: tuple[str, ...]) -> float | None:
    try:
        words = " ".join((folder / name).read_text(encoding="ascii") for name in names).split()
        quota, period = (float(word) for word in words)
    except (OSError, ValueError):
        # No such file, or "max", which is no limit.
        return None
    return quota / period if quota > 0 and period > 0 else None
