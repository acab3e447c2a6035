import os

import pytest

from fastreid.utils.machine import cores
from fastreid.utils.machine.cores import cpu_quota, num_cores


def tree(folder, lines, files):
    """A folder like / with the groups of a process and files of /sys/fs/cgroup."""
    for name, text in {"proc/self/cgroup": lines, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000\n", "cpu.max": "150000 100000\n"}, 0.5),
        # A container of version 1 sees the path outside of it, and only its own root.
        (
            "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            3,
        ),
        (
            "4:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("5:memory:/\n0::/\n", {"memory/cpu.max": "100000 100000"}, None),
    ],
)
def test_the_quota_is_the_smallest_of_the_groups_and_those_above(tmp_path, lines, files, expected):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    assert cpu_quota(tree(tmp_path, lines, files)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
@pytest.mark.parametrize(("quota", "expected"), [(None, 3), (1.2, 2), (0.1, 1), (64.0, 3)])
def test_cores_are_those_of_the_affinity_within_the_quota(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    cores.own_quota.cache_clear()
    assert num_cores() == expected
    cores.own_quota.cache_clear()
