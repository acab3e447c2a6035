import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.utils.machine import (
    cores_of_rank,
    keep_kernels_on,
    kernel_cores,
    kernel_threads,
    visible_cores,
    wait_for_kernel_threads,
)
from fastreid.utils.machine.kernel_threads import free_cores

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system keeps threads on no cores"
)


class Affinities:
    """Threads of processes in a folder like /proc, and the cores that they may run on."""

    def __init__(self, root, monkeypatch, visible):
        self.root, self.cores = root, {0: set(visible)}
        monkeypatch.setattr(os, "sched_getaffinity", self.get)
        monkeypatch.setattr(os, "sched_setaffinity", self.set)

    def get(self, thread):
        if thread not in self.cores:
            raise ProcessLookupError
        return self.cores[thread]

    def set(self, thread, cores):
        if thread not in self.cores:
            raise ProcessLookupError
        self.cores[thread] = set(cores)

    def add(self, process, thread, name, cores=None, runs=None):
        folder = self.root / "proc" / str(process) / "task" / str(thread)
        folder.mkdir(parents=True, exist_ok=True)
        if runs is not None:
            (folder / "schedstat").write_text(f"100 0 {runs}\n")
        (folder / "comm").write_text(name + "\n")
        if cores is not None:
            self.cores[thread] = set(cores)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Affinities(tmp_path, monkeypatch, range(4))


def test_only_the_threads_of_kernels_move(machine):
    everywhere = set(range(4))
    names = ["python", "ActorThread_0", "KernelThread_0", "KernelThread_12", "infer_queue"]
    for thread, name in enumerate(names, start=10):
        machine.add("self", thread, name, everywhere)
    # It has ended since the folder was read.
    machine.add("self", 99, "KernelThread_3")
    assert kernel_cores(machine.root) == everywhere
    assert keep_kernels_on({1, 2}, machine.root)
    moved = {names[thread - 10] for thread, cores in machine.cores.items() if cores == {1, 2}}
    assert moved == {"ActorThread_0", "KernelThread_0", "KernelThread_12"}
    assert kernel_cores(machine.root) == {1, 2}
    assert machine.cores[0] == everywhere


def test_threads_are_waited_for_until_no_new_ones_appear(machine, monkeypatch):
    names = ["ActorThread_0", "KernelThread_0", "KernelThread_1"]

    def sleep(_):
        if names:
            machine.add("self", 10 + len(names), names.pop(0), range(4))

    monkeypatch.setattr(kernel_threads.time, "sleep", sleep)
    assert wait_for_kernel_threads(root=machine.root)
    assert names == []
    assert len(list((machine.root / "proc" / "self" / "task").iterdir())) == 3


def test_a_thread_that_has_not_run_has_no_name_yet(machine, monkeypatch):
    machine.add("self", 10, "ActorThread_0", range(4), runs=5)
    machine.add("self", 11, "KernelThread_0", range(4), runs=5)
    machine.add("self", 12, "python", range(4), runs=0)
    assert not wait_for_kernel_threads(0.05, machine.root)

    def sleep(_):
        machine.add("self", 12, "KernelThread_1", range(4), runs=1)

    monkeypatch.setattr(kernel_threads.time, "sleep", sleep)
    assert wait_for_kernel_threads(root=machine.root)


@pytest.mark.parametrize("names", [[], ["python"], ["ActorThread_0"]])
def test_the_wait_for_threads_ends(machine, names):
    for thread, name in enumerate(names):
        machine.add("self", thread, name, range(4))
    assert not wait_for_kernel_threads(0.05, machine.root)


def test_before_the_first_kernel_there_is_nothing_to_move(machine):
    machine.add("self", 10, "python", range(4))
    assert kernel_cores(machine.root) == set()
    assert not keep_kernels_on({1}, machine.root)


def test_cores_that_are_refused_are_no_error(machine, monkeypatch):
    def refuse(thread, cores):
        raise OSError(22, "Invalid argument")

    machine.add("self", 10, "ActorThread_0", range(4))
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert not keep_kernels_on({1}, machine.root)


@pytest.mark.parametrize(
    ("busy", "count", "expected"),
    [
        ((1, 0, 1, 0), 2, {1, 3}),
        ((1, 0.9, 1, 1), 1, {1}),
        ((1, 1, 0.5, 1), 1, {2}),
        ((0.7, 1, 0.5, 0.2), 3, {0, 2, 3}),
    ],
)
def test_the_least_busy_cores_are_chosen(machine, busy, count, expected):
    assert free_cores(count, dict(enumerate(busy)), root=machine.root) == expected


def test_cores_on_which_other_runs_keep_their_kernels_come_last(machine):
    machine.add(500, 501, "ActorThread_0", {0})
    machine.add(500, 502, "KernelThread_0", {0})
    machine.add(600, 601, "KernelThread_0", {1})
    # Neither a run on all cores, nor a thread of another kind, nor our own takes a core.
    machine.add(700, 701, "KernelThread_0", range(4))
    machine.add(800, 801, "python", {3})
    machine.add(os.getpid(), 901, "KernelThread_0", {2})
    busy = dict.fromkeys(range(4), 1.0)
    # A process counts once, however many threads it has.
    assert free_cores(2, busy, root=machine.root) == {2, 3}
    assert {frozenset(free_cores(3, busy, root=machine.root)) for _ in range(99)} == {
        frozenset({0, 2, 3}),
        frozenset({1, 2, 3}),
    }
    assert free_cores(2, {**busy, 1: 0.0}, root=machine.root) == {2, 3}


@pytest.mark.parametrize(
    ("now", "busy", "count", "expected"),
    [
        # Its own load counts for nothing,
        ({1, 2}, (0.3, 1, 1, 0.6), 2, {1, 2}),
        ({1, 2}, (0.3, 1, 1, 0.6), 3, {0, 1, 2}),
        # and only a core that is nearly free is better.
        ({1, 2}, (0.2, 1, 1, 0.6), 2, None),
        ({0}, (1, 0.05, 1, 1), 1, {1}),
    ],
)
def test_kernels_leave_their_cores_only_for_nearly_free_ones(machine, now, busy, count, expected):
    found = free_cores(count, dict(enumerate(busy)), now, machine.root)
    assert found == expected if expected else 0 in found


def test_a_core_where_another_run_keeps_its_kernels_is_no_better(machine):
    machine.add(500, 501, "KernelThread_0", {1})
    busy = {0: 1.0, 1: 0.1, 2: 1.0, 3: 1.0}
    assert free_cores(1, busy, {0}, machine.root) == {0}
    # Nor is a busy core better than one that both have chosen.
    assert free_cores(1, busy, {1}, machine.root) == {1}


def test_among_equal_cores_chance_decides(machine):
    busy = dict.fromkeys(range(4), 1.0)
    assert {tuple(free_cores(1, busy, root=machine.root)) for _ in range(199)} == {
        (0,),
        (1,),
        (2,),
        (3,),
    }


def test_processes_that_end_or_belong_to_others_are_passed_over(machine, monkeypatch):
    machine.add(500, 501, "KernelThread_0", {0})
    (machine.root / "proc" / "600").mkdir()
    real = Path.iterdir

    def iterdir(folder):
        if folder.match("600/task"):
            raise PermissionError(folder)
        ended = [folder / "700"] if folder.name == "proc" else []
        return iter([*real(folder), *ended])

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert free_cores(3, dict.fromkeys(range(4), 0.0), root=machine.root) == {1, 2, 3}


@pytest.mark.parametrize(
    ("cores", "ranks", "expected"),
    [
        (2, 2, [{0}, {1}]),
        (4, 2, [{0, 1}, {2, 3}]),
        (5, 2, [{0, 1}, {2, 3, 4}]),
        (2, 3, [{0}, {0}, {1}]),
        (1, 2, [{0}, {0}]),
        (3, 1, [{0, 1, 2}]),
    ],
)
def test_ranks_divide_the_cores(tmp_path, monkeypatch, cores, ranks, expected):
    Affinities(tmp_path, monkeypatch, range(cores))
    assert [cores_of_rank(rank, ranks) for rank in range(ranks)] == expected


RUN = """
import json, os, pathlib, sys
import fastreid
import mindspore as ms, numpy as np
from fastreid.utils.machine import (keep_kernels_on, kernel_cores, visible_cores,
    wait_for_kernel_threads)
ms.set_device("CPU")
x = ms.Tensor(np.arange(65536, dtype=np.float32).reshape(256, 256) / 65536)

def run(x):
    return ms.ops.exp(ms.ops.matmul(x, x).mean(0)).sum()

found = {"before": sorted(kernel_cores()), "spread": run(x).asnumpy().tobytes().hex()}
found["threads"] = wait_for_kernel_threads()
core = max(visible_cores())
found["moved"] = keep_kernels_on({core})
found["kept"] = run(x).asnumpy().tobytes().hex()
found["cores"] = sorted(kernel_cores())
found["main"] = sorted(os.sched_getaffinity(0))
tasks = pathlib.Path("/proc/self/task")
found["names"] = [(task / "comm").read_text().strip() for task in tasks.iterdir()
                  if os.sched_getaffinity(int(task.name)) == {core}]
found["undone"] = keep_kernels_on(visible_cores())
print(json.dumps(found))
"""


def test_mindspores_threads_are_found_and_moved():
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout.splitlines()[-1])
    visible = sorted(visible_cores())
    assert found["before"] == []
    assert found["threads"]
    assert found["moved"]
    assert found["undone"]
    assert found["cores"] == visible[-1:]
    assert found["main"] == visible
    assert found["kept"] == found["spread"]
    if len(visible) > 1:
        assert {name.rstrip("0123456789") for name in found["names"]} == {
            "ActorThread_",
            "KernelThread_",
        }
