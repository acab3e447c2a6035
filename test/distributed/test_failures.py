"""Any failure ends all processes of a job soon, with a message that names the cause."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = Path("/proc")
# The limit is 20 seconds, also on a busy machine.
LONGEST_SECONDS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROCESSES.is_dir(), reason="finds processes in /proc"),
]


class Job:
    """A running job of two ranks, both at work.

    Args:
        folder: of its files.
        kind: what `looping` does.
    """

    def __init__(self, folder, kind):
        self.folder = folder
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "test.distributed.looping", str(folder), kind],
            cwd=ROOT,
            # A supervisor that is killed leaves its temporary folder behind.
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        notes = [folder / f"pid_{rank}" for rank in (0, 1)]
        deadline = time.monotonic() + 120
        while not all(note.is_file() and note.read_text() for note in notes):
            assert self.supervisor.poll() is None, self.supervisor.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.ranks = [int(note.read_text()) for note in notes]
        self.processes = descendants(self.supervisor.pid)

    def ending(self):
        """Exit code, seconds until the end, and what was printed."""
        begin = time.monotonic()
        out, err = self.supervisor.communicate(timeout=60)
        return self.supervisor.returncode, time.monotonic() - begin, out + err

    def left_over(self):
        """Processes of the job that are still there, given a moment to go."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            alive = [pid for pid in self.processes if is_alive(pid)]
            if not alive:
                return []
            time.sleep(0.05)
        return alive

    def kill(self):
        for pid in (self.supervisor.pid, *self.processes):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.supervisor.communicate()


def state_and_parent(pid):
    """State and parent from /proc/PID/stat; None if the process does not exist."""
    try:
        fields = (PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def is_alive(pid):
    found = state_and_parent(pid)
    return found is not None and found[0] != "Z"


def children(pid):
    numbers = [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdigit()]
    found = {number: state_and_parent(number) for number in numbers}
    return [number for number, entry in found.items() if entry and entry[1] == pid]


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


@pytest.fixture
def job(tmp_path, request):
    job = Job(tmp_path, request.param)
    yield job
    job.kill()


def check(job, code, words, longest=LONGEST_SECONDS):
    """The job ends with this code and these words, in time, and leaves nothing behind."""
    # A scheduler, two ranks, and what each needs for its data.
    assert len(job.processes) >= 3
    returncode, seconds, printed = job.ending()
    assert returncode == code, printed
    assert words in printed
    assert seconds < longest
    assert job.left_over() == []
    return printed


@pytest.mark.parametrize("job", ["raise"], indirect=True)
def test_a_rank_that_raises_ends_the_job_with_its_traceback_first(job):
    printed = check(job, 1, "The job ends: rank 1 failed with exit code 1")
    # What is wrong is in the last line, too.
    assert printed.splitlines()[-1].startswith(
        "The job ends: rank 1 failed with exit code 1: KeyError: 'rank 1 has lost its way'."
    )
    trace = printed[printed.index("Traceback") :]
    assert trace.index("KeyError: 'rank 1 has lost its way'") < trace.index("The job ends")
    assert trace.count("Traceback") == 1


@pytest.mark.parametrize("job", ["train"], indirect=True)
def test_a_rank_that_is_killed_ends_the_job(job):
    os.kill(job.ranks[1], signal.SIGKILL)
    check(job, 137, "The job ends: rank 1 was killed by SIGKILL")


@pytest.mark.parametrize("job", ["evaluate"], indirect=True)
def test_ctrl_c_ends_the_job(job):
    os.killpg(job.supervisor.pid, signal.SIGINT)
    # Two seconds on a machine that does nothing else.
    check(job, 130, "The job ends: it received SIGINT.", longest=8)


@pytest.mark.parametrize("job", ["train"], indirect=True)
def test_a_supervisor_that_is_killed_leaves_no_process_behind(job):
    os.kill(job.supervisor.pid, signal.SIGKILL)
    job.supervisor.wait()
    assert job.left_over() == []
