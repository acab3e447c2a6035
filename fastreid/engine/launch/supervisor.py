"""Starts the processes of a job on this machine, watches them, and ends them all together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from .job import (
    START_SECONDS,
    Job,
    rank_command,
    rank_environment,
    scheduler_command,
    scheduler_environment,
)
from .job_folder import job_folder
from .machines import Machines
from .rank_output import RankOutput

_POLL_SECONDS = 0.1
# From the polite signal to SIGKILL: after a failure, and when a signal ends the job. Ctrl-C saves
# nothing: ranks have the time to remove temporary files. SIGTERM comes from whoever runs the
# machine, and rank 0 has a step to finish and a checkpoint to write.
_FAILURE_GRACE_SECONDS = 3.0
_GRACE_SECONDS: dict[int, float] = {signal.SIGINT: 1.3, signal.SIGTERM: 25.0, signal.SIGHUP: 5.0}


class Child(NamedTuple):
    """A process of the job, the leader of a process group of its own."""

    name: str
    process: subprocess.Popen
    output: RankOutput


class Ending(NamedTuple):
    """How a job ended: exit code of the whole, what to say about it, and whose words to print."""

    code: int
    message: str = ""
    culprit: Child | None = None


def supervise(job: Job) -> int:
    """Run the present program as the ranks of this machine, until all end or one fails.

    Args:
        job: the job.

    Returns:
        0, the exit code of the rank that failed, or 128 + the number of the signal that ended it.

    Raises:
        TimeoutError: another machine is not there in time.
    """
    command = rank_command()
    with (
        job_folder() as folder,
        Machines(job, START_SECONDS) as machines,
    ):
        children: list[Child] = []
        with _noted_signals() as signals:
            try:
                if job.machine_rank == 0:
                    environment = scheduler_environment(job, os.environ)
                    output = Path(folder, "scheduler.txt")
                    children.append(start("scheduler", scheduler_command(), environment, output))
                for rank in job.ranks:
                    output = Path(folder, f"rank_{rank}.txt")
                    environment = rank_environment(job, rank, os.environ, output)
                    children.append(start(f"rank {rank}", command, environment, output))
                ending = watch(children, machines, signals)
                # What comes soon waits for the last words of the ranks.
                ends_soon = signals[:1] == [signal.SIGINT]
                if not ends_soon:
                    _report(ending, children)
                # A signal from the user is passed on: a rank may want to save its work.
                polite = signals[0] if signals else signal.SIGTERM
                grace = _GRACE_SECONDS[polite] if signals else _FAILURE_GRACE_SECONDS
                end(children, polite, grace if ending.code else 0.0, signals, machines)
                _relay(children)
                if ends_soon:
                    _report(ending, children)
                if signals:
                    # Only now: their ranks are needed until rank 0 has finished its step.
                    machines.fail(ending.message)
            finally:
                end(children, signal.SIGKILL, 0.0, signals)
        return ending.code


def start(name: str, command: Sequence[str], environment: dict[str, str], output: Path) -> Child:
    """Start a process.

    Args:
        name: for messages.
        command: the words of its command line.
        environment: all its variables.
        output: gets what it prints.

    Returns:
        The process.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(name, process, RankOutput(output))


def watch(children: Sequence[Child], machines: Machines, signals: Sequence[int]) -> Ending:
    """Wait until all ranks have ended, one process fails, another machine fails, or a signal comes.

    Args:
        children: processes of this machine; the scheduler, if among them, is not waited for.
        machines: the other machines of the job.
        signals: grows when a signal comes.

    Returns:
        How the job ended.
    """
    ranks = [child for child in children if child.name != "scheduler"]
    while True:
        _relay(children)
        if signals:
            return Ending(128 + signals[0], f"it was sent {signal.Signals(signals[0]).name}")
        # Ranks first: one that fails may take the scheduler with it.
        failed = [child for child in [*ranks, *children] if child.process.poll()]
        if all(child.process.returncode == 0 for child in ranks):
            machines.done()
            return Ending(0)
        if failed:
            failed = list(dict.fromkeys(failed))
            message = _describe(failed)
            machines.fail(message)
            return Ending(_exit_code(failed[0].process.returncode), message, failed[0])
        failure = machines.poll()
        if failure:
            return Ending(1, failure)
        time.sleep(_POLL_SECONDS)


def end(
    children: Sequence[Child],
    polite: int,
    grace_seconds: float,
    signals: Sequence[int],
    machines: Machines | None = None,
) -> None:
    """End processes and all that they have started.

    Nobody waits any longer once rank 0, here or on another machine, has ended.

    Args:
        children: the processes.
        polite: signal for their leaders.
        grace_seconds: until SIGKILL for whole groups.
        signals: a second signal from the user ends the grace.
        machines: the other machines of the job, if it has any.
    """
    ranks = [child for child in children if child.name != "scheduler"]
    if grace_seconds > 0:
        for child in ranks:
            if child.process.poll() is None:
                child.process.send_signal(polite)
    deadline = time.monotonic() + grace_seconds
    count = len(signals)
    while time.monotonic() < deadline and len(signals) == count:
        ended = [child for child in ranks if child.process.poll() is not None]
        if len(ended) == len(ranks) or any(child.name == "rank 0" for child in ended):
            break
        if signals and machines is not None and machines.poll():
            break
        _relay(children)
        time.sleep(_POLL_SECONDS)
    for child in children:
        # The group may be empty; on macOS another error says so while its last one is a zombie.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Put signals that would end this process on a list instead.

    Those that are ignored stay so: SIGHUP under nohup, SIGINT in background jobs of scripts.
    """
    noted: list[int] = []
    before = {
        number: signal.signal(number, lambda received, _: noted.append(received))
        for number in _GRACE_SECONDS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _relay(children: Sequence[Child]) -> None:
    """Show on the screen what rank 0 prints, if it runs here."""
    for child in children:
        if child.name == "rank 0":
            sys.stdout.write(child.output.new())
            sys.stdout.flush()


def _describe(failed: Sequence[Child]) -> str:
    # Ranks that find the same fault are named together.
    names_of: dict[str, list[str]] = {}
    for child in failed:
        names_of.setdefault(_end_of(child), []).append(child.name)
    return "; ".join(f"{', '.join(names)} {end}" for end, names in names_of.items())


def _end_of(child: Child) -> str:
    code = child.process.returncode
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (out of memory, if nobody sent it)"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    error = child.output.error_line().rstrip(".")
    return f"failed with exit code {code}" + (f": {error}" if error else "")


def _exit_code(code: int) -> int:
    return code if code > 0 else 128 - code


def _report(ending: Ending, children: Sequence[Child]) -> None:
    if not ending.message:
        return
    _relay(children)
    culprit = ending.culprit
    # A command that ends with one line for the user has said all; that line is in the message.
    if culprit is not None and culprit.name != "rank 0" and not culprit.output.ends_in_one_line():
        sys.stderr.write(f"{culprit.output.last_words()}\n")
    where = culprit.output.lasting_path() if culprit is not None else None
    pointer = f" Its output: {where}" if where else ""
    sys.stderr.write(f"The job ends: {ending.message.rstrip('.')}.{pointer}\n")
    sys.stderr.flush()
