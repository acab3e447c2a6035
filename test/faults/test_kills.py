"""Processes that are killed or stopped while they work."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fastreid.data.pipeline.workers import WorkerError, WorkerPool
from test.data import pipeline_case as case
from test.faults import table

ROOT = Path(__file__).parents[2]
TRIALS = 40


@pytest.mark.slow
def test_a_process_may_be_killed_at_any_moment_of_saving(tmp_path):
    command = [sys.executable, "-m", "test.faults.killed_while_saving", str(tmp_path), str(TRIALS)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=True
    )
    survived = int(done.stdout)
    for number in range(TRIALS):
        table.record("kill -9 while saving", survived=number < survived)
    assert survived == TRIALS


@pytest.fixture
def loader(tmp_path):
    items = case.write_items(tmp_path)
    with case.train_loader(items, WorkerPool(2)) as loader:
        yield loader


def test_a_stopped_worker_is_named_within_ten_seconds_and_may_go_on(tmp_path, loader, caplog):
    with case.train_loader(case.write_items(tmp_path), WorkerPool(0)) as sound:
        expected = case.take(sound, 30)
    batches = iter(loader)
    got = [next(batches)]
    pid, started, named = loader.pool.pids[0], time.monotonic(), []

    def release():
        while not named and time.monotonic() - started < 10:
            time.sleep(0.05)
            if f"Data worker {pid} is stopped (SIGSTOP)" in caplog.text:
                named.append(pid)
        os.kill(pid, signal.SIGCONT)

    os.kill(pid, signal.SIGSTOP)
    thread = threading.Thread(target=release)
    thread.start()
    got += case.take(batches, 29)
    thread.join()
    table.record("SIGSTOP of a worker", survived=named == [pid])
    assert named == [pid]
    case.assert_same_batches(got, expected)


def test_a_killed_worker_is_named_within_ten_seconds(loader):
    batches = iter(loader)
    next(batches)
    pid, started = loader.pool.pids[1], time.monotonic()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=f"worker {pid} died .killed by SIGKILL"):
        case.take(batches, 1000)
    seconds = time.monotonic() - started
    table.record("kill -9 of a worker, named in time", survived=seconds < 10)
    assert seconds < 10
