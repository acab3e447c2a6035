"""Starts the processes of a job on this machine, supervises them, and ends them together."""

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
# Seconds from the first signal to SIGKILL, after a failure and when a signal ends the job. After
# Ctrl-C the ranks only remove temporary files. After SIGTERM, which job schedulers send, rank 0
# finishes its step and writes a checkpoint.
_FAILURE_GRACE_SECONDS = 3.0
_GRACE_SECONDS: dict[int, float] = {signal.SIGINT: 1.3, signal.SIGTERM: 25.0, signal.SIGHUP: 5.0}


class Child(NamedTuple):
    """A process of the job, which leads a process group of its own."""

    name: str
    process: subprocess.Popen
    output: RankOutput


class Ending(NamedTuple):
    """How a job ended.

    Attributes:
        code: exit code of the job.
        message: reason, for the user; "" after success.
        failed: the process that failed, if one did.
    """

    code: int
    message: str = ""
    failed: Child | None = None


def supervise(job: Job) -> int:
    """Run the running program again as the ranks of this machine, until all end or one fails.

    Args:
        job: the job.

    Returns:
        0, the exit code of the rank that failed, or 128 + the number of the signal that ended it.

    Raises:
        TimeoutError: another machine did not connect in time.
    """
    command = rank_command()
    with (
        job_folder() as folder,
        Machines(job, START_SECONDS) as machines,
    ):
        children: list[Child] = []
        with _recorded_signals() as signals:
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
                # After Ctrl-C the ranks end soon: the report comes after the rest of their output.
                ends_soon = signals[:1] == [signal.SIGINT]
                if not ends_soon:
                    _report(ending, children)
                # A signal from the user is passed on, so that a rank can save its work.
                first = signals[0] if signals else signal.SIGTERM
                grace = _GRACE_SECONDS[first] if signals else _FAILURE_GRACE_SECONDS
                end(children, first, grace if ending.code else 0.0, signals, machines)
                _relay(children)
                if ends_soon:
                    _report(ending, children)
                if signals:
                    # Not earlier: rank 0 needs the ranks of other machines to finish its step.
                    machines.fail(ending.message)
            finally:
                end(children, signal.SIGKILL, 0.0, signals)
        return ending.code


def start(name: str, command: Sequence[str], environment: dict[str, str], output: Path) -> Child:
    """Start a process.

    Args:
        name: name of the process in messages.
        command: command line.
        environment: all environment variables of the process.
        output: file for the output of the process.

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
    """Wait until all ranks end, a process or another machine fails, or a signal arrives.

    Args:
        children: processes of this machine; the end of the scheduler is not awaited.
        machines: the other machines of the job.
        signals: list to which received signals are added.

    Returns:
        How the job ended.
    """
    ranks = [child for child in children if child.name != "scheduler"]
    while True:
        _relay(children)
        if signals:
            return Ending(128 + signals[0], f"it received {signal.Signals(signals[0]).name}")
        # Ranks first: when one fails, the scheduler may fail too.
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
    first_signal: int,
    grace_seconds: float,
    signals: Sequence[int],
    machines: Machines | None = None,
) -> None:
    """End processes and their descendants.

    The other ranks are killed at once when rank 0, here or on another machine, has ended.

    Args:
        children: the processes.
        first_signal: signal that the ranks get first.
        grace_seconds: number of seconds until SIGKILL to the process groups.
        signals: list of received signals; another one ends the wait.
        machines: the other machines of the job, if there are any.
    """
    ranks = [child for child in children if child.name != "scheduler"]
    if grace_seconds > 0:
        for child in ranks:
            if child.process.poll() is None:
                child.process.send_signal(first_signal)
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
        # The group may be empty; macOS raises PermissionError while its last process is a zombie.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


@contextmanager
def _recorded_signals() -> Iterator[list[int]]:
    """Record the signals that would end this process in a list.

    Ignored signals stay ignored: SIGHUP under nohup, SIGINT in background jobs of scripts.
    """
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda each, _: received.append(each))
        for number in _GRACE_SECONDS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _relay(children: Sequence[Child]) -> None:
    """Write the new output of rank 0 to the screen, if it runs on this machine."""
    for child in children:
        if child.name == "rank 0":
            sys.stdout.write(child.output.new())
            sys.stdout.flush()


def _describe(failed: Sequence[Child]) -> str:
    # Ranks that ended in the same way are listed together.
    names_of: dict[str, list[str]] = {}
    for child in failed:
        names_of.setdefault(_end_of(child), []).append(child.name)
    return "; ".join(f"{', '.join(names)} {end}" for end, names in names_of.items())


def _end_of(child: Child) -> str:
    code = child.process.returncode
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (possibly out of memory)"
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
    failed = ending.failed
    # The one line of a user error is in the message already; the output of rank 0 is on the screen.
    if failed is not None and failed.name != "rank 0" and not failed.output.ends_in_one_line():
        sys.stderr.write(f"{failed.output.end_of_output()}\n")
    path = failed.output.lasting_path() if failed is not None else None
    pointer = f" Its output: {path}" if path else ""
    sys.stderr.write(f"The job ends: {ending.message.rstrip('.')}.{pointer}\n")
    sys.stderr.flush()
