import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from fastreid.engine.launch.job import Job
from fastreid.engine.launch.machines import Machines
from fastreid.engine.launch.supervisor import end, start, watch

ALONE = Machines(Job(2, 1, 0, "127.0.0.1", 1), 1.0)
PROCESSES = Path("/proc")
FOREVER = "import time; time.sleep(600)"
FAILING = "raise ValueError('rank 1 has lost its way')"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
WITH_WORKER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{FOREVER}'])"


@pytest.fixture
def run(tmp_path):
    """Start ranks (and a scheduler) from Python code; none outlives the test."""
    children = []

    def begin(*codes, scheduler=None):
        names = [f"rank {number}" for number in range(len(codes))]
        for name, code in [*zip(names, codes), *([("scheduler", scheduler)] if scheduler else [])]:
            command = [sys.executable, "-c", code]
            path = tmp_path / f"{name}.txt"
            children.append(start(name, command, dict(os.environ), path))
        return children

    yield begin
    end(children, signal.SIGKILL, 0.0, [])


def group_is_empty(pid):
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for_group(pid, size):
    """Until so many processes are in a group."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        numbers = [entry.name for entry in PROCESSES.iterdir() if entry.name.isdigit()]
        if sum(_group_of(number) == pid for number in numbers) >= size:
            return
        time.sleep(0.05)
    raise AssertionError(f"group {pid} has not {size} processes")


def _group_of(entry):
    try:
        return os.getpgid(int(entry))
    except ProcessLookupError:
        return None


def test_a_job_ends_well_when_all_ranks_do_and_the_scheduler_is_not_waited_for(run):
    children = run("pass", "pass", scheduler=FOREVER)
    assert watch(children, ALONE, []).code == 0


def test_only_the_output_of_rank_0_is_shown(run, capsys):
    watch(run("print('zero')", "print('one')"), ALONE, [])
    assert capsys.readouterr().out == "zero\n"


def test_the_first_rank_that_fails_is_named_with_its_exit_code_and_error(run):
    ending = watch(run(FOREVER, FAILING), ALONE, [])
    assert ending.code == 1
    error = "ValueError: rank 1 has lost its way"
    assert ending.message == f"rank 1 failed with exit code 1: {error}"
    assert "ValueError: rank 1 has lost its way" in ending.failed.output.end_of_output()


def test_ranks_that_fail_alike_are_named_together(run):
    same = "import sys; sys.exit('tool.py: X is 3.')"
    children = run(same, FAILING, same)
    for child in children:
        child.process.wait()
    assert watch(children, ALONE, []).message == (
        "rank 0, rank 2 failed with exit code 1: X is 3; rank 1 failed with exit code 1: "
        "ValueError: rank 1 has lost its way"
    )


@pytest.mark.parametrize(("victim", "name"), [(1, "rank 1"), (2, "scheduler")])
def test_a_process_that_is_killed_is_named_with_the_signal(run, victim, name):
    children = run(FOREVER, FOREVER, scheduler=FOREVER)
    children[victim].process.kill()
    ending = watch(children, ALONE, [])
    assert ending.code == 128 + signal.SIGKILL
    assert re.match(rf"{name} was killed by SIGKILL \(possibly out of memory", ending.message)


def test_a_failed_rank_is_reported_before_the_scheduler_that_fails_with_it(run):
    children = run(FAILING, scheduler="raise SystemExit(3)")
    for child in children:
        child.process.wait()
    assert watch(children, ALONE, []).failed.name == "rank 0"


def test_a_signal_to_the_supervisor_ends_the_watch(run):
    ending = watch(run(FOREVER), ALONE, [signal.SIGTERM])
    assert ending.code == 143
    assert ending.message == "it received SIGTERM"


def test_ranks_that_do_not_end_in_time_are_killed(run):
    begin = time.monotonic()
    children = run("import time; time.sleep(600)", STUBBORN)
    time.sleep(1.0)
    end(children, signal.SIGTERM, 1.5, [])
    assert [child.process.returncode for child in children] == [-15, -9]
    assert time.monotonic() - begin < 20


def test_a_second_signal_ends_the_grace(run):
    signals = [signal.SIGINT]
    children = run(STUBBORN)
    time.sleep(1.0)
    before = signal.signal(signal.SIGALRM, lambda *_: signals.append(signal.SIGINT))
    signal.alarm(1)
    begin = time.monotonic()
    end(children, signal.SIGTERM, 600.0, signals)
    signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 60


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="counts processes in /proc")
def test_what_a_rank_has_started_ends_with_it(run):
    child, _ = run(WITH_WORKER, WITH_WORKER)
    wait_for_group(child.process.pid, 2)
    child.process.kill()
    child.process.wait()
    assert not group_is_empty(child.process.pid)
    end([child], signal.SIGTERM, 1.0, [])
    deadline = time.monotonic() + 10
    while not group_is_empty(child.process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group_is_empty(child.process.pid)
