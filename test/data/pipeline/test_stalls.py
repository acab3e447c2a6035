import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastreid.data.pipeline import stalls
from fastreid.data.pipeline.stalls import StallDetector


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock of the detector; returns a function that advances it."""
    now = [0.0]
    monkeypatch.setattr(stalls.time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def state_of(process):
    """The state of a process as Linux shows it; T: stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]


def stop(process):
    os.kill(process.pid, signal.SIGSTOP)
    end = time.perf_counter() + 5
    while state_of(process) != "T" and time.perf_counter() < end:
        time.sleep(0.01)
    assert state_of(process) == "T"


def check_for(detector, clock, running, seconds):
    """Check once a second, and return the first failure."""
    failure = None
    for _ in range(seconds):
        clock(1.0)
        failure = failure or detector.check(running)
    return failure


def test_a_stopped_worker_is_reported_within_ten_seconds_and_ends_the_run_after_a_minute(
    process, clock, caplog
):
    detector, running = StallDetector(), {process.pid: object()}
    stop(process)
    assert check_for(detector, clock, running, 9) is None
    assert f"Data worker {process.pid} is stopped (SIGSTOP)" in caplog.text
    assert caplog.text.count("is stopped") == 1
    assert check_for(detector, clock, running, 50) is None
    assert f"Data worker {process.pid} has been stopped" in check_for(detector, clock, running, 10)


def test_a_stopped_worker_that_continues_does_not_end_the_run(process, clock):
    detector, running = StallDetector(), {process.pid: object()}
    stop(process)
    assert check_for(detector, clock, running, 60) is None
    os.kill(process.pid, signal.SIGCONT)
    end = time.perf_counter() + 5
    while state_of(process) == "T" and time.perf_counter() < end:
        time.sleep(0.01)
    assert check_for(detector, clock, running, 90) is None


def test_time_in_which_the_main_process_was_suspended_does_not_count(process, clock):
    detector, running = StallDetector(), {process.pid: object()}
    stop(process)
    detector.check(running)
    clock(3600.0)
    assert detector.check(running) is None
    assert detector.check(running) is None


def test_a_slow_worker_is_reported_once_and_does_not_end_the_run(process, clock, caplog):
    detector, running = StallDetector(), {process.pid: object()}
    assert check_for(detector, clock, running, 200) is None
    assert caplog.text.count(f"Data worker {process.pid} has been reading the same few images") == 1


def test_workers_that_finish_their_jobs_are_not_reported(clock, caplog):
    detector = StallDetector()
    for _ in range(200):
        assert check_for(detector, clock, {os.getpid(): object()}, 4) is None
    assert check_for(detector, clock, {}, 200) is None
    assert caplog.text == ""
