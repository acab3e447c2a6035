"""The time of tasks of a program, and of the tests, beside loops or without them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.sharing.loops import Loops

_ROOT = Path(__file__).resolve().parents[2]
# Two steps compile and allocate.
_WARM_UP = 2


class Times(NamedTuple):
    """Medians over the runs of a task.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of the processor.
    """

    seconds: float
    cpu_seconds: float


class Program(Protocol):
    """What runs tasks: a `Contender`, or several of them."""

    def ask(self, line: str) -> dict:
        """Run the task of this name; return its "seconds" and "cpu_seconds"."""

    def close(self) -> None:
        """End the program."""


def time_task(program: Program, task: str, *, runs: int, loops: Loops) -> Times:
    """Time a task of a program that has been started.

    The loops run while the program starts, when it looks at the machine, and while the task is
    timed. In between they are stopped, because compiling beside them would take long.

    Args:
        program: the program.
        task: name of the task.
        runs: number of runs that count.
        loops: the busy programs; none, for the quiet machine.
    """
    program.ask("ready")
    with loops.stopped():
        for _ in range(_WARM_UP):
            program.ask(task)
    answers = [program.ask(task) for _ in range(runs)]
    return Times(*(statistics.median(one[key] for one in answers) for key in Times._fields))


def time_tests(tests: Sequence[str], workers: int) -> Times:
    """Time a run of tests in several processes, as ``make test`` runs them.

    Args:
        tests: files of tests.
        workers: number of processes.

    Raises:
        CalledProcessError: a test fails.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--numprocesses", str(workers), "--dist", "loadscope", *tests]
    start, cpu_start = time.perf_counter(), _children_seconds()
    subprocess.run(command, cwd=_ROOT, check=True, stdout=sys.stderr)
    return Times(time.perf_counter() - start, _children_seconds() - cpu_start)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system
