import os
import subprocess
import sys

import pytest

from fastreid.utils.machine import cores as module
from fastreid.utils.machine import cpu_quota, num_cores, num_visible_cores, threads_of_each


@pytest.fixture
def tree(tmp_path):
    """Write files of a made-up machine; returns its root."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


V2 = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "25000 50000\n"}, 0.5),
        # The path of the host, in a container that sees only its own group.
        ({"proc/self/cgroup": "0::/pods/a\n", f"{V2}/cpu.max": "150000 100000\n"}, 1.5),
        # The group above limits too.
        (
            {
                "proc/self/cgroup": "0::/pods/a\n",
                f"{V2}/pods/a/cpu.max": "max 100000\n",
                f"{V2}/pods/cpu.max": "300000 100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "0::/pods/a\n",
                f"{V2}/pods/a/cpu.max": "400000 100000\n",
                f"{V2}/pods/cpu.max": "300000 100000\n",
            },
            3,
        ),
        # Version 1, mounted under both controllers or under one name, in a container or not.
        (
            {
                "proc/self/cgroup": "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n",
                f"{V2}/cpu,cpuacct/docker/a/cpu.cfs_quota_us": "200000\n",
                f"{V2}/cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "4:cpuacct,cpu:/docker/a\n",
                f"{V2}/cpu/cpu.cfs_quota_us": "100000\n",
                f"{V2}/cpu/cpu.cfs_period_us": "50000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n0::/\n",
                f"{V2}/cpu/cpu.cfs_quota_us": "-1\n",
                f"{V2}/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        # A set of cores is no quota; what cannot be read is none.
        ({"proc/self/cgroup": "3:cpuset:/a\nnonsense\n\n", f"{V2}/cpu.max": "5 10\n"}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": ""}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "200000 0\n"}, None),
    ],
)
def test_the_smallest_quota_counts(tree, files, quota):
    assert cpu_quota(tree(files)) == quota


@pytest.mark.parametrize(
    ("quota", "visible", "cores"),
    [
        ("200000 100000", 64, 2),
        ("150000 100000", 64, 2),
        ("1000 100000", 64, 1),
        ("max 100000", 64, 64),
        ("900000 100000", 2, 2),
    ],
)
def test_a_quota_limits_the_cores(tree, monkeypatch, quota, visible, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(visible)), raising=False)
    root = tree({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": quota})
    assert num_visible_cores() == visible
    assert num_cores(root) == cores


@pytest.mark.parametrize(
    ("visible", "cores", "chosen", "threads"),
    [
        (9, 9, None, "2"),
        (2, 2, None, "1"),
        (9, 9, "7", "7"),
        (9, 9, "9", "9"),
        # Set by the import of this package, for one process.
        (64, 8, "8", "2"),
        (64, 8, "3", "3"),
    ],
)
def test_processes_share_the_cores(monkeypatch, visible, cores, chosen, threads):
    monkeypatch.setattr(module, "num_cores", lambda: cores)
    monkeypatch.setattr(module, "num_visible_cores", lambda: visible)
    inherited = {"OMP_NUM_THREADS": chosen} if chosen else {}
    assert threads_of_each(4, inherited) == threads


def test_this_machine_has_a_core():
    assert 1 <= num_cores() <= num_visible_cores() <= os.cpu_count()


LIMITED = """
import os, sys
sys.modules["fastreid.utils.machine"] = sys
sys.num_cores, sys.num_visible_cores = (lambda: {cores}), (lambda: 64)
import fastreid
print(os.environ.get("OMP_NUM_THREADS"))
"""


@pytest.mark.parametrize(
    ("cores", "chosen", "threads"), [(2, None, "2"), (64, None, "None"), (2, "5", "5")]
)
def test_libraries_start_as_many_threads_as_the_quota_has_cores(cores, chosen, threads):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if chosen:
        environment["OMP_NUM_THREADS"] = chosen
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(cores=cores)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == threads
