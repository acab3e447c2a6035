"""The number of cores that this process may use: its affinity and the quotas of control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_ROOT = Path("/")


def visible_cores() -> set[int]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def num_visible_cores() -> int:
    """Return the number of cores that this process may run on, without quotas."""
    return len(visible_cores())


def num_cores(root: Path = _ROOT) -> int:
    """Return the number of cores that this process may use, at least 1.

    A container with a quota of 2 cores on a machine of 64 may run on all 64, but all its threads
    together get the time of 2. A fraction of a core counts as a whole one.

    Args:
        root: folder of ``proc`` and ``sys``.
    """
    quota = cpu_quota(root)
    visible = num_visible_cores()
    return visible if quota is None else max(1, min(visible, math.ceil(quota)))


def threads_of_each(processes: int, inherited: Mapping[str, str]) -> str:
    """Return the OMP_NUM_THREADS of processes that share the cores of this one.

    Args:
        processes: how many they are.
        inherited: the environment of this process. A number that the user has set stays; the one
            that importing `fastreid` sets where a quota limits the cores is divided.
    """
    cores = num_cores()
    chosen = inherited.get("OMP_NUM_THREADS")
    is_quota = chosen == str(cores) and cores < num_visible_cores()
    return chosen if chosen and not is_quota else str(max(1, cores // processes))


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return the smallest quota of the control groups of this process, of both versions.

    Args:
        root: folder of ``proc`` and ``sys``.

    Returns:
        Cores; None if there is no quota.
    """
    quotas = [quota for quota in _quotas(root) if quota is not None]
    return min(quotas, default=None)


def _quotas(root: Path) -> Iterator[float | None]:
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        # hierarchy number : controllers, none in version 2 : path of the group
        fields = line.split(":", 2)
        if len(fields) < 3:
            continue
        _, controllers, group = fields
        if not controllers:
            for folder in _upwards(mounts, group):
                quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
                yield _ratio(quota, period)
        elif "cpu" in controllers.split(","):
            for mount in {mounts / controllers, mounts / "cpu"}:
                for folder in _upwards(mount, group):
                    quota = _read(folder / "cpu.cfs_quota_us").strip()
                    yield _ratio(quota, _read(folder / "cpu.cfs_period_us").strip())


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the folder of a group and those of the groups above it.

    In a container, the path may be that on the host, which is not there; the mount itself is the
    container's group then.
    """
    parts = [part for part in group.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _ratio(quota: str, period: str) -> float | None:
    # "max" and -1 mean no quota.
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0 or int(quota) == 0:
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
