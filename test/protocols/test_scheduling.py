import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastreid.protocols import RunFolder, only_one
from fastreid.protocols.progress import ProgressLine
from fastreid.protocols.scheduling import PARENT_VARIABLE, Task, run_tasks, slot_environment
from fastreid.utils.machine import num_cores

ROOT = Path(__file__).parents[2]


def task(folder, name, code):
    return Task(name, RunFolder(folder / name), [sys.executable, "-c", code], 10)


def run(tasks, *, slots=1, num_done=0):
    stream = io.StringIO()
    failed = run_tasks(
        tasks,
        slots=slots,
        devices_per_slot=1,
        num_done=num_done,
        title="job",
        line=ProgressLine(stream),
    )
    return [task.name for task in failed], stream.getvalue()


def test_all_tasks_run_and_a_failure_does_not_stop_the_others(tmp_path):
    tasks = [
        task(tmp_path, "bad", "print('some'); raise SystemExit('words')"),
        task(tmp_path, "good", "print('fine')"),
    ]
    failed, shown = run(tasks, num_done=1)
    assert failed == ["bad"]
    assert tasks[0].folder.last_words() == "some\nwords"
    assert tasks[1].folder.last_words() == "fine"
    assert shown.splitlines()[-1].startswith("job: 2 of 3 runs done, 1 failed")


def test_tasks_run_side_by_side_each_with_its_own_device(tmp_path):
    # Each waits until the other has begun.
    code = (
        "import os, pathlib, sys, time\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / (sys.argv[1] + '.txt')).write_text(os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "end = time.time() + 20\n"
        "while len(list(here.glob('*.txt'))) < 2: assert time.time() < end; time.sleep(.05)"
    )
    tasks = [
        Task(name, RunFolder(tmp_path / name), [sys.executable, "-c", code, name], 10)
        for name in ("a", "b")
    ]
    assert run(tasks, slots=2)[0] == []
    assert {(tmp_path / f"{name}.txt").read_text() for name in ("a", "b")} == {"0", "1"}


def test_slots_divide_the_visible_devices_and_the_cores():
    inherited = {"CUDA_VISIBLE_DEVICES": "4,5,6,7", "HOME": "/"}
    second = slot_environment(1, 2, 2, inherited)
    assert second["CUDA_VISIBLE_DEVICES"] == "6,7"
    assert second["ASCEND_RT_VISIBLE_DEVICES"] == "2,3"
    assert int(second["OMP_NUM_THREADS"]) == max(1, num_cores() // 2)
    assert second[PARENT_VARIABLE] == str(os.getpid())
    assert slot_environment(0, 2, 1, {"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"] == "3"


def test_a_single_slot_keeps_the_devices_of_the_user():
    inherited = {"CUDA_VISIBLE_DEVICES": "3"}
    assert slot_environment(0, 1, 1, inherited).items() >= inherited.items()
    assert "OMP_NUM_THREADS" not in slot_environment(0, 1, 1, {})


PARENT = """
import sys
from pathlib import Path
from fastreid.protocols import RunFolder
from fastreid.protocols.progress import ProgressLine
from fastreid.protocols.scheduling import Task, run_tasks
child = '''
import os, signal, sys, time
from fastreid.protocols.scheduling import PARENT_VARIABLE
from fastreid.utils.processes import end_with_parent
end_with_parent(int(os.environ[PARENT_VARIABLE]))
def save(*_):
    open("saved", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
open("pid", "w").write(str(os.getpid()))
time.sleep(120)
'''
task = Task("t", RunFolder(Path("run")), [sys.executable, "-c", child], 10)
run_tasks([task], slots=1, devices_per_slot=1, num_done=0, title="job", line=ProgressLine())
"""


@pytest.fixture
def parent(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


def has_ended(pid):
    """Whether a process is gone or a zombie, within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_runs_end_when_the_job_is_killed(parent, tmp_path):
    parent.kill()
    assert has_ended(int((tmp_path / "pid").read_text()))
    assert not (tmp_path / "saved").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sigterm_is_passed_on_so_that_runs_save(parent, tmp_path):
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(timeout=30) == 143
    assert has_ended(int((tmp_path / "pid").read_text()))
    assert (tmp_path / "saved").exists()


def test_a_second_program_in_the_same_folder_is_refused(tmp_path):
    refused = pytest.raises(ValueError, match="Another program runs a protocol in .*out")
    with only_one(tmp_path / "out"), refused, only_one(tmp_path / "out"):
        pass
    with only_one(tmp_path / "out"):
        pass
