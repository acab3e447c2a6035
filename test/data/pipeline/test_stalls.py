import os
import signal
import subprocess
import sys
import time

import pytest

from fastreid.data.pipeline import stalls
from fastreid.data.pipeline.stalls import StallWatch


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


@pytest.fixture
def clock(monkeypatch):
    """The time that the watch believes in."""
    now = [0.0]
    monkeypatch.setattr(stalls.time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def stop(process):
    os.kill(process.pid, signal.SIGSTOP)
    state = ""
    end = time.perf_counter() + 5
    while not state.startswith("T") and time.perf_counter() < end:
        with open(f"/proc/{process.pid}/stat") as file:  # noqa: PTH123
            state = file.read().rpartition(") ")[2]
    assert state.startswith("T")


def look(watch, clock, running, seconds):
    """Look once a second."""
    told = None
    for _ in range(seconds):
        clock(1.0)
        told = told or watch.look(running)
    return told


def test_a_stopped_worker_is_named_within_ten_seconds_and_ends_the_run_after_a_minute(
    process, clock, caplog
):
    watch, running = StallWatch(), {process.pid: object()}
    stop(process)
    assert look(watch, clock, running, 9) is None
    assert f"Data worker {process.pid} is stopped (SIGSTOP)" in caplog.text
    assert caplog.text.count("is stopped") == 1
    assert look(watch, clock, running, 50) is None
    assert f"Data worker {process.pid} has been stopped" in look(watch, clock, running, 10)


def test_a_worker_that_goes_on_is_forgiven(process, clock):
    watch, running = StallWatch(), {process.pid: object()}
    stop(process)
    assert look(watch, clock, running, 60) is None
    os.kill(process.pid, signal.SIGCONT)
    end = time.perf_counter() + 5
    while stalls._is_stopped(process.pid) and time.perf_counter() < end:
        time.sleep(0.01)
    assert look(watch, clock, running, 90) is None


def test_time_in_which_the_main_process_slept_does_not_count(process, clock):
    watch, running = StallWatch(), {process.pid: object()}
    stop(process)
    watch.look(running)
    clock(3600.0)
    assert watch.look(running) is None
    assert watch.look(running) is None


def test_a_slow_worker_is_named_once_and_the_run_goes_on(process, clock, caplog):
    watch, running = StallWatch(), {process.pid: object()}
    assert look(watch, clock, running, 200) is None
    assert caplog.text.count(f"Data worker {process.pid} has been at the same few images") == 1


def test_workers_that_answer_are_not_looked_at(clock, caplog):
    watch = StallWatch()
    for _ in range(200):
        assert look(watch, clock, {os.getpid(): object()}, 4) is None
    assert look(watch, clock, {}, 200) is None
    assert caplog.text == ""
