"""benchmarks/shared_machine.py: that it measures what it says, not how fast."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import shared_machine
from benchmarks.results import read_results
from benchmarks.shared_machine import Row, cells
from benchmarks.sharing import ranks, timing
from benchmarks.sharing.loops import Loops, fair_slowdown
from benchmarks.sharing.timing import Times, time_task, time_tests
from fastreid.utils.comm import LOCAL_SIZE_VARIABLE


@pytest.mark.parametrize(("busy", "cores", "fair"), [(0, 2, 1), (2, 2, 2), (1, 2, 1.5), (4, 2, 3)])
def test_loops_take_their_share_of_the_cores(busy, cores, fair):
    assert fair_slowdown(busy, cores) == fair


def test_ratios_are_to_the_quiet_machine_and_to_the_fair_share():
    row = Row("a", Times(0.5, 0.8), Times(1.5, 0.9))
    assert cells(row, 2) == ["a", 0.5, 1.5, 3, 1.5, "0.80, 0.90"]


@pytest.fixture
def processes(monkeypatch):
    """The processes that a test starts."""
    started = []
    popen = subprocess.Popen

    def start(*args, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return started


def test_loops_run_while_the_block_runs_and_no_longer(processes):
    with pytest.raises(RuntimeError), Loops(2):
        assert [process.poll() for process in processes] == [None, None]
        raise RuntimeError
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def state(process):
    """The letter by which Linux reports what a process does."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_loops_stop_for_a_while_and_go_on(processes):
    with Loops(1) as loops:
        with pytest.raises(RuntimeError), loops.stopped():
            wait_for(lambda: state(processes[0]) == "T")
            raise RuntimeError
        wait_for(lambda: state(processes[0]) != "T")


class StandInLoops:
    """Counts the loops that run."""

    running = 0

    def __init__(self, count):
        self.count = StandInLoops.running = count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        StandInLoops.running = 0

    def stopped(self):
        return StandInLoops.Stopped(self)

    class Stopped:
        def __init__(self, loops):
            self.loops = loops

        def __enter__(self):
            StandInLoops.running = 0

        def __exit__(self, *_):
            StandInLoops.running = self.loops.count


class Contender:
    """Answers at once; notes when it was started and closed, and beside how many loops it ran."""

    log: list = []
    jobs: list = []
    kind = "one"

    def __init__(self, script, job, *more):
        self.jobs.append((self.kind, script.name, job, more))
        self.note("start")

    def note(self, event):
        self.log.append((event, StandInLoops.running))

    def ask(self, line):
        self.note(line)
        return {"seconds": 1.0 + StandInLoops.running, "cpu_seconds": 1.0}

    def close(self):
        self.note("close")


class Ranks(Contender):
    kind = "ranks"


@pytest.fixture
def log(monkeypatch):
    Contender.log, Contender.jobs = [], []
    monkeypatch.setattr(shared_machine, "Contender", Contender)
    monkeypatch.setattr(shared_machine, "Ranks", Ranks)
    monkeypatch.setattr(shared_machine, "Loops", StandInLoops)
    return Contender.log


def timed(task, beside, count):
    """What is noted when a task is timed."""
    return [("ready", beside), *[(task, 0)] * 2, *[(task, beside)] * count]


def test_what_is_chosen_at_the_start_is_measured_in_a_process_started_beside_the_loops(log, capsys):
    assert shared_machine.main(["--busy", "2", "--threads", "0", "2", "--steps", "3"]) == 0
    alone, beside = timed("basic", 0, 3), timed("basic", 2, 3)
    chosen = [("start", 0), *alone, ("close", 0), ("start", 2), *beside]
    fixed = [("start", 0), *alone, *beside]
    assert [entry for entry in log if entry[0] != "close"] == [
        entry for entry in [*chosen, *fixed] if entry[0] != "close"
    ]
    out = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in out if "step, DISPATCH_THREADS 0" in line]
    assert rows[-1][3:6] == ["1.00", "3.00", "3.00"]


def test_a_process_is_timed_at_several_tasks(log):
    words = ["--busy", "1", "--threads", "2", "--steps", "1", "--tasks", "step", "evaluation"]
    assert shared_machine.main(words) == 0
    both = [[*timed("basic", n, 1), *timed("evaluation", n, 1)] for n in (0, 1)]
    assert log[: 1 + 2 * len(both[0])] == [("start", 0), *both[0], *both[1]]
    (_, script, job, _) = Contender.jobs[0]
    assert (script, job["eval_batch"]) == ("ours.py", 64)


def test_an_evaluation_alone_has_its_own_batch(log):
    words = ["--threads", "0", "--tasks", "evaluation", "--eval-batch", "5", "--steps", "1"]
    assert shared_machine.main([*words, "--busy", "1"]) == 0
    assert {job["eval_batch"] for _, _, job, _ in Contender.jobs} == {5}


def test_ranks_divide_the_batch_and_are_started_once(log):
    words = ["--threads", "0", "--tasks", "ranks", "--ranks", "4", "--batch", "24", "--busy", "1"]
    assert shared_machine.main([*words, "--steps", "2"]) == 0
    ((kind, script, job, more),) = Contender.jobs
    assert (kind, script, job["batch"], more) == ("ranks", "ours.py", 6, (4,))
    assert job["opts"] == ["SOLVER.IMS_PER_BATCH", "24", "DISPATCH_THREADS", "0"]
    assert log[:-1] == [("start", 0), *timed("basic", 0, 2), *timed("basic", 1, 2)]


def test_the_tests_are_run_alone_and_beside_the_loops(log, monkeypatch, capsys):
    runs = []

    def run(tests, workers):
        runs.append((tests, workers, StandInLoops.running))
        return Times(2.0 + StandInLoops.running, 3.0)

    monkeypatch.setattr(shared_machine, "time_tests", run)
    words = ["--tasks", "tests", "--tests", "a.py", "b.py", "--ranks", "3", "--busy", "2"]
    assert shared_machine.main(words) == 0
    assert runs == [(["a.py", "b.py"], 3, 0), (["a.py", "b.py"], 3, 2)]
    assert not Contender.jobs
    assert "tests: alone 2.00 s, beside 4.00 s" in capsys.readouterr().out


def test_the_tests_that_are_timed_exist():
    root = Path(shared_machine.__file__).parents[1]
    assert all((root / file).is_file() for file in shared_machine.parse_args([]).tests)


def test_a_run_of_tests_is_that_of_make_test(monkeypatch):
    commands = []
    monkeypatch.setattr(
        timing.subprocess, "run", lambda command, **options: commands.append((command, options))
    )
    assert time_tests(["a.py"], 2).seconds >= 0
    ((command, options),) = commands
    assert options["check"]
    assert command[:3] == [sys.executable, "-m", "pytest"]
    made = Path(shared_machine.__file__).parents[1].joinpath("Makefile").read_text()
    assert " ".join(command[-5:]) == "--numprocesses 2 --dist loadscope a.py"
    assert "--numprocesses 2 --dist loadscope" in made


def test_the_figures_are_written(log, tmp_path):
    file = tmp_path / "all.json"
    words = ["--busy", "2", "--threads", "1", "--steps", "1", "--json", str(file)]
    assert shared_machine.main([*words, "--tasks", "step", "ranks"]) == 0
    assert [(one.name, one.unit, one.ours) for one in read_results(file)[1]] == [
        ("step, DISPATCH_THREADS 1, alone", "s", 1.0),
        ("step, DISPATCH_THREADS 1, beside", "s", 3.0),
        ("ranks, DISPATCH_THREADS 1, alone", "s", 1.0),
        ("ranks, DISPATCH_THREADS 1, beside", "s", 3.0),
    ]


def test_a_time_is_the_median():
    class Program:
        seconds = iter([9.0, 9.0, 9.0, 3.0, 1.0, 2.0])

        def ask(self, line):
            return {"seconds": next(self.seconds), "cpu_seconds": 0.5}

        def close(self):
            """Nothing is open."""

    assert time_task(Program(), "basic", runs=3, loops=Loops(0)) == Times(2.0, 0.5)


ECHO = """
import json, os, sys, time
rank, job = int(os.environ["RANK_ID"]), json.loads(sys.stdin.readline())
for line in sys.stdin:
    names = ("MS_ROLE", "MS_WORKER_NUM", "{local_size}")
    environment = [os.environ[name] for name in names]
    with open(job["folder"] + f"/{{rank}}", "a") as file:
        print(line.strip(), *environment, file=file)
    # The answer of a rank waits for the other, as in a step.
    while not os.path.exists(job["folder"] + f"/{{1 - rank}}"):
        time.sleep(0.01)
    print(json.dumps({{"seconds": 1.0 + rank, "cpu_seconds": 2.0}}), flush=True)
"""


def test_ranks_work_together_and_the_slowest_counts(tmp_path, monkeypatch, processes):
    from fastreid.engine.launch import job

    monkeypatch.setattr(
        job, "scheduler_command", lambda: [sys.executable, "-c", "import time; time.sleep(0.2)"]
    )
    script = tmp_path / "echo.py"
    script.write_text(ECHO.format(local_size=LOCAL_SIZE_VARIABLE))
    (tmp_path / "said").mkdir()
    together = ranks.Ranks(script, {"folder": str(tmp_path / "said")}, 2)
    try:
        assert together.ask("basic") == {"seconds": 2.0, "cpu_seconds": 4.0}
    finally:
        together.close()
    said = [path.read_text() for path in (tmp_path / "said").iterdir()]
    assert said == ["basic MS_WORKER 2 2\n"] * 2
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)
