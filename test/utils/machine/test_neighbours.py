import os
import time

import pytest

from fastreid.utils.machine import busy_elsewhere, neighbours, num_visible_cores, read_run_delay
from fastreid.utils.machine.run_delay import RunDelay

TICKS = os.sysconf("SC_CLK_TCK")


def stat(root, seconds, nice=0.0, idle=0.0):
    """Write proc/stat of a machine of 64 cores that have been busy for so many seconds each."""
    (root / "proc").mkdir(exist_ok=True)
    half = int(seconds * TICKS / 2)
    times = f"{half} {int(nice * TICKS)} {half} {int(idle * TICKS)} 0 0 0 0 0 0"
    lines = ["cpu  9 9 9 9 0 0 0 0 0 0", *(f"cpu{n} {times}" for n in range(64)), "intr 7"]
    (root / "proc" / "stat").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("busy", "nice", "cores", "expected"),
    [(10, 0, 3, 3), (5, 0, 3, 1.5), (10, 0, 1, 1), (0, 0, 2, 0), (0, 10, 2, 0)],
)
def test_other_programs_of_normal_priority_count_on_our_cores(
    tmp_path, monkeypatch, busy, nice, cores, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7, 7 + cores)), raising=False)
    clock = [100.0]

    def sleep(seconds):
        clock[0] += seconds
        stat(tmp_path, 1000 + busy, nice=nice, idle=50)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stat(tmp_path, 1000)
    assert busy_elsewhere(10, tmp_path) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("text", [None, "", "cpu0 1\n", "intr 1 2 3 4\n", "cpu0 a b c d\n"])
def test_without_these_counts_the_use_is_unknown(tmp_path, text):
    if text is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "stat").write_text(text)
    assert busy_elsewhere(0, tmp_path) is None


@pytest.mark.parametrize("waits", [(0, 3, 0, 0), (3, 0, 0, 0), (0, 0, 3, 0), (0, 0, 0, 3)])
def test_waiting_for_a_core_before_or_after_the_counts_are_read_adds_nobody(
    tmp_path, monkeypatch, waits
):
    """Another program keeps one of our two cores busy all the time."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock, left = [100.0], list(waits)
    read = neighbours._busy_seconds

    def sleep(seconds):
        clock[0] += seconds

    def read_between_waits(root):
        sleep(left.pop(0))
        stat(root, clock[0] / 2)
        found = read(root)
        sleep(left.pop(0))
        return found

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(neighbours, "_busy_seconds", read_between_waits)
    between_the_counts = 10 + waits[1] + waits[2]
    assert busy_elsewhere(10, tmp_path) == pytest.approx(between_the_counts / 13, abs=0.01)


def test_on_this_machine_it_is_a_number_of_cores():
    # Counts go up in ticks, which the kernel may add late: the longer of several windows decides.
    limit = num_visible_cores() + 0.5
    end = time.monotonic() + 20
    seconds = 0.2
    while (found := busy_elsewhere(seconds)) > limit and time.monotonic() < end:
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
