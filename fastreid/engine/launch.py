"""Start a job on its devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def launch(
    main_func: Callable[..., Any],
    num_gpus_per_machine: int,
    *,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str | None = None,  # noqa: ARG001 - of fast-reid's signature
    args: tuple = (),
) -> Any:
    """Run a function as a job, fast-reid's way.

    Args:
        main_func: what to run.
        num_gpus_per_machine: devices on each machine.
        num_machines: machines.
        machine_rank: number of this machine, from 0.
        dist_url: where machines meet; not looked at where there is only one.
        args: of `main_func`.

    Returns:
        What `main_func` returns.

    Raises:
        NotImplementedError: for more than one device in all.
        ValueError: for a number below one, or a rank that no machine has.
    """
    if num_gpus_per_machine < 1 or num_machines < 1:
        raise ValueError(
            f"--num-gpus ({num_gpus_per_machine}) and --num-machines ({num_machines}) must be at "
            "least 1; on a machine without accelerators 1 means the CPU."
        )
    if num_gpus_per_machine * num_machines > 1:
        raise NotImplementedError(
            f"--num-gpus {num_gpus_per_machine} on {num_machines} machine(s): training on several "
            "devices is not built yet. Use --num-gpus 1; the batch size is that of the whole job."
        )
    if machine_rank != 0:
        raise ValueError(f"--machine-rank is {machine_rank}, but there is one machine, number 0.")
    return main_func(*args)
