"""benchmarks/shared_machine.py: that it measures what it says, not how fast."""

import subprocess

import pytest

from benchmarks import shared_machine
from benchmarks.results import read_results
from benchmarks.shared_machine import CHOSEN, Steps, fair_slowdown


@pytest.mark.parametrize(("busy", "cores", "fair"), [(0, 2, 1), (2, 2, 2), (1, 2, 1.5), (4, 2, 3)])
def test_loops_take_their_share_of_the_cores(busy, cores, fair):
    assert fair_slowdown(busy, cores) == fair


def test_ratios_are_to_the_quiet_machine_and_to_the_fair_share():
    alone, beside = Steps(0.5, 0.8), Steps(1.5, 0.9)
    assert shared_machine.row("a", alone, beside, 2) == ["a", 0.5, 1.5, 3, 1.5, "0.80, 0.90"]


def test_loops_run_while_the_block_runs_and_no_longer(monkeypatch):
    started = []
    popen = subprocess.Popen

    def start(*args, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(RuntimeError), shared_machine.loops(2):
        assert [process.poll() for process in started] == [None, None]
        raise RuntimeError
    assert all(process.poll() is not None for process in started)


class Contender:
    """Answers at once; notes when it was started and closed, and beside how many loops it ran."""

    log: list = []
    beside = 0

    def __init__(self, script, job):
        self.log.append(("start", self.beside))

    def ask(self, line):
        self.log.append((line, self.beside))
        return {"seconds": 1.0 + self.beside, "cpu_seconds": 1.0}

    def close(self):
        self.log.append(("close", self.beside))


@pytest.fixture
def log(monkeypatch):
    import contextlib

    @contextlib.contextmanager
    def loops(count):
        Contender.beside = count
        yield
        Contender.beside = 0

    Contender.log = []
    monkeypatch.setattr(shared_machine, "Contender", Contender)
    monkeypatch.setattr(shared_machine, "loops", loops)
    return Contender.log


def test_what_is_chosen_at_the_start_is_measured_in_a_process_started_beside_the_loops(log, capsys):
    assert shared_machine.main(["--busy", "2", "--threads", "0", "2", "--steps", "3"]) == 0
    basic = lambda beside, count: [("basic", beside)] * count  # noqa: E731
    chosen = [("start", 0), *basic(0, 5), ("close", 0), ("start", 2), *basic(2, 5)]
    fixed = [("start", 0), *basic(0, 5), *basic(2, 3)]
    assert [entry for entry in log if entry[0] != "close"] == [
        entry for entry in [*chosen, *fixed] if entry[0] != "close"
    ]
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if CHOSEN in line]
    assert rows[-1][2:5] == ["1.00", "3.00", "3.00"]


def test_the_figures_are_written(log, tmp_path):
    file = tmp_path / "all.json"
    words = ["--busy", "2", "--threads", "1", "--steps", "1", "--json", str(file)]
    assert shared_machine.main(words) == 0
    assert [(one.name, one.unit, one.ours) for one in read_results(file)[1]] == [
        ("DISPATCH_THREADS 1, alone", "s", 1.0),
        ("DISPATCH_THREADS 1, beside", "s", 3.0),
    ]
