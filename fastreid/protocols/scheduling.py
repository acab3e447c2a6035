"""Start runs as processes, several side by side, and wait for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from fastreid.utils.machine import threads_of_each

from .progress import Progress, ProgressLine, fraction_done
from .run_folder import RunFolder

# Environment variable with the process id of the program that a run ends with.
PARENT_VARIABLE = "FASTREID_PROTOCOL_PARENT"
# Lists of the visible devices, which a run gets a part of.
_DEVICE_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
_POLL_SECONDS = 0.2
# After SIGTERM, a run finishes its step and saves a checkpoint.
_TERMINATION_SECONDS = 60.0
_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Task:
    """A run that is to be started as a process.

    Attributes:
        name: name of the run.
        folder: its folder.
        command: command line.
        max_iter: iterations of its training.
    """

    name: str
    folder: RunFolder
    command: Sequence[str]
    max_iter: int


@dataclass
class _Process:
    task: Task
    slot: int
    process: subprocess.Popen


def run_tasks(
    tasks: Sequence[Task],
    *,
    slots: int,
    devices_per_slot: int,
    num_done: int,
    title: str,
    line: ProgressLine,
) -> list[Task]:
    """Run tasks, as many at once as there are slots.

    A task that fails does not stop the others. If this process ends, the tasks end too.

    Args:
        tasks: the tasks, in order.
        slots: number of tasks side by side.
        devices_per_slot: devices of each of them.
        num_done: runs of the job that were done before.
        title: name of the job.
        line: where progress is shown.

    Returns:
        The tasks that failed.

    Raises:
        SystemExit: SIGTERM came; the tasks have saved their state, and the code is 143.
    """
    waiting, failed, children = list(tasks), list[Task](), list[_Process]()
    started = sum(fraction_done(t.folder.iterations(), t.max_iter) for t in tasks)
    progress = Progress(title, len(tasks) + num_done, done_before=num_done + started)
    done = num_done
    with _termination() as terminated:
        try:
            while waiting or children:
                changed = _start_waiting(waiting, children, slots, devices_per_slot)
                for child in [c for c in children if c.process.poll() is not None]:
                    children.remove(child)
                    changed = True
                    if child.process.returncode:
                        failed.append(child.task)
                    else:
                        done += 1
                shares = {
                    c.task.name: fraction_done(c.task.folder.iterations(), c.task.max_iter)
                    for c in children
                }
                line.show(progress.line(done, shares, len(failed)), now=changed)
                if terminated:
                    _end(children, signal.SIGTERM, _TERMINATION_SECONDS)
                    raise SystemExit(_TERMINATED)
                time.sleep(_POLL_SECONDS)
        finally:
            _end(children, signal.SIGKILL, 0.0)
            line.end()
    return failed


def slot_environment(
    slot: int, slots: int, devices: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a process that has its own devices and its share of the cores.

    Args:
        slot: number of the slot, from 0.
        slots: number of slots.
        devices: devices of each slot.
        inherited: environment of this process. Its lists of visible devices are divided; without a
            list, devices are numbered from 0. Its OMP_NUM_THREADS is kept.
    """
    environment = dict(inherited)
    mine = range(slot * devices, (slot + 1) * devices)
    if slots > 1:
        for variable in _DEVICE_VARIABLES:
            visible = [word for word in inherited.get(variable, "").split(",") if word.strip()]
            numbers = visible[mine.start : mine.stop] if visible else map(str, mine)
            environment[variable] = ",".join(numbers)
        environment["OMP_NUM_THREADS"] = threads_of_each(slots, inherited)
    environment[PARENT_VARIABLE] = str(os.getpid())
    return environment


def _start_waiting(waiting: list[Task], children: list[_Process], slots: int, devices: int) -> bool:
    changed = False
    while waiting and len(children) < slots:
        slot = min(set(range(slots)) - {child.slot for child in children})
        task = waiting.pop(0)
        task.folder.path.mkdir(parents=True, exist_ok=True)
        with task.folder.output.open("ab") as output:
            process = subprocess.Popen(
                list(task.command),
                env=slot_environment(slot, slots, devices, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
            )
        children.append(_Process(task, slot, process))
        changed = True
    return changed


def _end(children: Sequence[_Process], number: int, seconds: float) -> None:
    for child in children:
        if child.process.poll() is None and number != signal.SIGKILL:
            child.process.send_signal(number)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(c.process.poll() is None for c in children):
        time.sleep(_POLL_SECONDS)
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


@contextlib.contextmanager
def _termination() -> Iterator[list[int]]:
    """Record SIGTERM in a list while the block runs."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the interface
        received.append(number)

    handler: Callable = receive
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)
