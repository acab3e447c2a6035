"""Starts a job of one process per device."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fastreid.utils.comm import get_world_size
from fastreid.utils.command_line.interrupts import EXIT_CODE, end_on_ctrl_c
from fastreid.utils.processes import end_with_parent, exit_now
from fastreid.utils.scheduler import SUPERVISOR_VARIABLE, serve

from .job import make_job
from .supervisor import supervise


def launch(
    main_func: Callable[..., Any],
    num_gpus_per_machine: int,
    *,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str | None = None,
    args: tuple = (),
) -> Any:
    """Run a function as a job of one process per device, as fast-reid's ``launch`` does.

    For one device the function runs in this process. For several devices, this process starts the
    running program again for each device, with the same command line; each of these processes calls
    `launch` again, which then runs the function, while this process supervises them. In processes
    that ``msrun`` has started, the function runs too.

    Args:
        main_func: the function to run.
        num_gpus_per_machine: number of devices on each machine; on a CPU, number of processes.
        num_machines: number of machines; the same command is started on each.
        machine_rank: number of this machine, from 0.
        dist_url: "tcp://HOST:PORT" of machine 0, where the processes connect; "auto" or None for
            any free port, on one machine.
        args: arguments of `main_func`.

    Returns:
        The result of `main_func`; None if it ran in other processes.

    Raises:
        ValueError: a number or the address is invalid.
        OSError: the port of `dist_url` is in use.
        TimeoutError: another machine did not connect in time.
        SystemExit: a process failed or was ended; the exit code is that of the process.
    """
    _check(num_gpus_per_machine, num_machines, machine_rank)
    world_size = num_gpus_per_machine * num_machines
    role = os.environ.get("MS_ROLE")
    if role == "MS_SCHED":
        return serve()
    if role == "MS_WORKER":
        if SUPERVISOR_VARIABLE in os.environ:
            end_with_parent(int(os.environ[SUPERVISOR_VARIABLE]))
            end_on_ctrl_c()
        if world_size not in (1, get_world_size()):
            raise ValueError(
                f"--num-gpus {num_gpus_per_machine} on {num_machines} machine(s), but "
                f"{get_world_size()} processes were started; under msrun omit --num-gpus."
            )
        sys.excepthook = _end_at_once
        try:
            return main_func(*args)
        except SystemExit as request:
            exit_now(request.code if isinstance(request.code, int) else 1)
    if world_size == 1:
        return main_func(*args)
    code = supervise(make_job(num_gpus_per_machine, num_machines, machine_rank, dist_url))
    if code:
        raise SystemExit(code)
    return None


def _end_at_once(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if kind is KeyboardInterrupt:
        exit_now(EXIT_CODE)
    sys.__excepthook__(kind, error, trace)
    exit_now(1)


def _check(devices: int, machines: int, machine_rank: int) -> None:
    if devices < 1 or machines < 1:
        raise ValueError(
            f"--num-gpus ({devices}) and --num-machines ({machines}) must be at "
            "least 1; on a machine without accelerators 1 means the CPU."
        )
    if not 0 <= machine_rank < machines:
        valid = "must be 0 for one machine" if machines == 1 else f"must be 0 to {machines - 1}"
        raise ValueError(f"--machine-rank is {machine_rank}; it {valid}.")
