"""Start a job on its devices."""

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
    """Run a function as a job of one process per device, fast-reid's way.

    For one device the function runs here. For several, the present program is started anew for
    each, with the same command line, and comes to this point again, where the function runs; this
    process only watches them. Under ``msrun``, which has started them, the function runs too.

    Args:
        main_func: what to run.
        num_gpus_per_machine: devices on each machine; on a CPU, processes.
        num_machines: machines; the same command is started on each.
        machine_rank: number of this machine, from 0.
        dist_url: "tcp://HOST:PORT" of machine 0, where the processes meet; "auto" or None: any free
            port, for one machine.
        args: of `main_func`.

    Returns:
        What `main_func` returns; nothing where it ran in other processes.

    Raises:
        ValueError: for numbers or an address that make no sense.
        OSError: if the port of `dist_url` is in use.
        TimeoutError: if another machine is not there in time.
        SystemExit: if a process failed or was ended, with its exit code.
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
                f"{get_world_size()} processes were started; under msrun leave --num-gpus away."
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
        there = "is one machine, number 0" if machines == 1 else f"are {machines}, from 0"
        raise ValueError(f"--machine-rank is {machine_rank}, but there {there}.")
