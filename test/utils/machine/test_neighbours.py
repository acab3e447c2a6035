import os
import subprocess
import sys
import time

import pytest

from fastreid.utils.machine import (
    BusyMeter,
    look_around,
    neighbours,
    num_visible_cores,
    read_run_delay,
)
from fastreid.utils.machine.run_delay import RunDelay

TICKS = os.sysconf("SC_CLK_TCK")


def stat(root, seconds, nice=0.0, idle=0.0):
    """Write proc/stat of a machine of 64 cores that have been busy for so many seconds each."""
    (root / "proc").mkdir(exist_ok=True)
    half = int(seconds * TICKS / 2)
    times = f"{half} {int(nice * TICKS)} {half} {int(idle * TICKS)} 0 0 0 0 0 0"
    lines = ["cpu  9 9 9 9 0 0 0 0 0 0", *(f"cpu{n} {times}" for n in range(64)), "intr 7"]
    (root / "proc" / "stat").write_text("\n".join(lines))


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.wait)

    def wait(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("busy", "nice", "cores", "expected"),
    [(10, 0, 3, 3), (5, 0, 3, 1.5), (10, 0, 1, 1), (0, 0, 2, 0), (0, 10, 2, 0)],
)
def test_other_programs_of_normal_priority_count_on_our_cores(
    tmp_path, monkeypatch, busy, nice, cores, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7, 7 + cores)), raising=False)
    clock = Clock(monkeypatch)

    def sleep(seconds):
        clock.wait(seconds)
        stat(tmp_path, 1000 + busy, nice=nice, idle=50)

    monkeypatch.setattr(time, "sleep", sleep)
    stat(tmp_path, 1000)
    found = look_around(10, tmp_path)
    assert found.elsewhere == pytest.approx(expected, abs=0.1)
    assert set(found.by_core) == set(range(7, 7 + cores))
    assert sum(found.by_core.values()) == pytest.approx(expected, abs=0.1)


def process(root, number, parent, seconds, name="python", nice=0):
    """Write proc/NUMBER/stat of a process that has used so many seconds."""
    folder = root / "proc" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    ticks = int(seconds * TICKS / 2)
    fields = ["S", parent, *[0] * 9, ticks, ticks, 99, 99, 20, nice, 1]
    (folder / "stat").write_text(f"{number} ({name}) " + " ".join(map(str, fields)))


@pytest.mark.parametrize("name", ["python", "a) S 1 (b c", ""])
@pytest.mark.parametrize(("is_ours", "expected"), [(True, 1.2), (False, 2.0)])
def test_processes_that_this_one_has_started_are_no_others(
    tmp_path, monkeypatch, is_ours, expected, name
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock = Clock(monkeypatch)
    parent = os.getpid() if is_ours else 1
    stat(tmp_path, 1000)
    process(tmp_path, 4711, parent, 50, name)
    meter = BusyMeter(tmp_path)
    clock.wait(10)
    stat(tmp_path, 1010)
    process(tmp_path, 4711, parent, 58, name)
    assert meter.look().elsewhere == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("has_lists", [True, False])
def test_the_lists_of_children_are_used_where_the_kernel_has_them(tmp_path, monkeypatch, has_lists):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock = Clock(monkeypatch)
    for thread, children in ((1, "4711 "), (2, "4712 4713 ")):
        folder = tmp_path / "proc" / "self" / "task" / str(thread)
        folder.mkdir(parents=True)
        if has_lists:
            (folder / "children").write_text(children)
    stat(tmp_path, 1000)
    parent = 1 if has_lists else os.getpid()
    for number in (4711, 4712):
        process(tmp_path, number, parent, 10)
    meter = BusyMeter(tmp_path)
    clock.wait(10)
    stat(tmp_path, 1010)
    for number in (4711, 4712):
        process(tmp_path, number, parent, 15)
    assert meter.look().elsewhere == pytest.approx(1.0, abs=0.05)


def test_of_a_child_of_low_priority_only_the_time_of_the_system_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock = Clock(monkeypatch)
    stat(tmp_path, 1000)
    process(tmp_path, 4711, os.getpid(), 50, nice=10)
    meter = BusyMeter(tmp_path)
    clock.wait(10)
    stat(tmp_path, 1005, nice=5)
    process(tmp_path, 4711, os.getpid(), 60, nice=10)
    # Half of its ten seconds, as half of all counted time.
    assert meter.look().elsewhere == pytest.approx(0.5, abs=0.05)


NICE = """
import os, time
from fastreid.utils.machine.neighbours import _own_seconds
from pathlib import Path
os.nice(5)
end = time.process_time() + 0.3
while time.process_time() < end:
    sum(range(10000))
print(_own_seconds(Path("/")) < 0.25, os.times().user >= 0.2)
"""


def test_the_time_of_a_process_of_low_priority_is_not_counted_as_its_own():
    done = subprocess.run(
        [sys.executable, "-c", NICE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True", "True"]


def test_a_meter_measures_from_look_to_look(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    clock = Clock(monkeypatch)
    stat(tmp_path, 1000)
    meter = BusyMeter(tmp_path)
    for busy in (1.0, 0.25, 0.0):
        clock.wait(20)
        before = float((tmp_path / "proc" / "stat").read_text().splitlines()[1].split()[1])
        stat(tmp_path, before * 2 / TICKS + 20 * busy)
        assert meter.look().by_core == pytest.approx({3: busy, 5: busy}, abs=0.01)
    assert meter.look() is None


def test_a_child_that_has_worked_and_ended_is_no_other():
    start = time.monotonic()
    meter = BusyMeter()
    code = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    found, seconds = meter.look(), time.monotonic() - start
    all_programs = sum(found.by_core.values())
    # Counts go up in ticks.
    assert all_programs - found.elsewhere >= 0.25 / seconds
    assert found.elsewhere >= 0


@pytest.mark.parametrize("text", [None, "", "cpu0 1\n", "intr 1 2 3 4\n", "cpu0 a b c d\n"])
def test_without_these_counts_the_use_is_unknown(tmp_path, text):
    if text is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "stat").write_text(text)
    assert look_around(0.06, tmp_path) is None


@pytest.mark.parametrize("waits", [(0, 3, 0, 0), (3, 0, 0, 0), (0, 0, 3, 0), (0, 0, 0, 3)])
def test_waiting_for_a_core_before_or_after_the_counts_are_read_adds_nobody(
    tmp_path, monkeypatch, waits
):
    """Another program keeps one of our two cores busy all the time."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock, left = Clock(monkeypatch), list(waits)
    read = neighbours._busy_seconds

    def read_between_waits(root):
        clock.wait(left.pop(0))
        stat(root, clock.now / 2)
        found = read(root)
        clock.wait(left.pop(0))
        return found

    monkeypatch.setattr(neighbours, "_busy_seconds", read_between_waits)
    between_the_counts, around_them = 10 + waits[1] + waits[2], 10 + sum(waits)
    expected = between_the_counts / around_them
    assert look_around(10, tmp_path).elsewhere == pytest.approx(expected, abs=0.01)


def test_on_this_machine_it_is_a_number_of_cores():
    # Counts go up in ticks, which the kernel may add late: the longer of several windows decides.
    limit = num_visible_cores() + 0.5
    end = time.monotonic() + 20
    seconds = 0.2
    while (found := look_around(seconds).elsewhere) > limit and time.monotonic() < end:
        seconds *= 2
    assert 0 <= found <= limit


def schedstat(root, thread, text):
    folder = root / "proc" / "self" / "task" / str(thread)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schedstat").write_text(text)


def test_threads_are_added_up(tmp_path):
    schedstat(tmp_path, 1, "1500000000 500000000 7\n")
    schedstat(tmp_path, 2, "500000000 3000000000 9\n")
    assert read_run_delay(tmp_path) == RunDelay(ran=2.0, waited=3.5)


@pytest.mark.parametrize("text", [None, "", "a b c", "1"])
def test_without_these_files_the_delay_is_unknown(tmp_path, text):
    if text is not None:
        schedstat(tmp_path, 1, text)
    assert read_run_delay(tmp_path) is None


def test_a_difference_is_never_negative():
    assert RunDelay(5, 1).since(RunDelay(2, 4)) == RunDelay(3, 0)


def test_the_delay_of_this_process_grows_with_its_work():
    before = read_run_delay()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    assert read_run_delay().since(before).ran >= 0.04
