"""What a job of many processes is made of: addresses, command lines, environments. Starts none."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import fastreid
from fastreid.utils.scheduler import SUPERVISOR_VARIABLE

LOCAL_HOST = "127.0.0.1"
# Where a rank writes what it prints until it knows its OUTPUT_DIR.
OUTPUT_VARIABLE = "FASTREID_RANK_OUTPUT"
# How long processes and machines wait for each other when a job starts.
START_SECONDS = 120


class Job(NamedTuple):
    """A job as one machine sees it.

    Attributes:
        devices: per machine.
        machines: in all.
        machine_rank: of this one, from 0.
        host, port: of the scheduler, on machine 0.
    """

    devices: int
    machines: int
    machine_rank: int
    host: str
    port: int

    @property
    def world_size(self) -> int:
        """Processes in all."""
        return self.devices * self.machines

    @property
    def ranks(self) -> range:
        """Ranks on this machine."""
        return range(self.machine_rank * self.devices, (self.machine_rank + 1) * self.devices)


def make_job(devices: int, machines: int, machine_rank: int, dist_url: str | None) -> Job:
    """Work out where the processes meet, and look whether they can.

    Args:
        devices: per machine.
        machines: in all.
        machine_rank: of this one, from 0.
        dist_url: "tcp://HOST:PORT" of machine 0; "auto" or None chooses a free port, where there
            is one machine.

    Returns:
        The job.

    Raises:
        ValueError: for an address that makes no sense, is not known or not this machine's.
        OSError: if the port is in use.
    """
    if not dist_url or dist_url == "auto":
        if machines > 1:
            raise ValueError(
                f"--num-machines {machines} needs --dist-url tcp://HOST:PORT, the same on all "
                "machines: an address of machine 0 that the others reach, and a free port."
            )
        return Job(devices, machines, machine_rank, LOCAL_HOST, _free_port())
    host, port = _parse(dist_url)
    if machine_rank == 0:
        check_port(host, port, dist_url)
    return Job(devices, machines, machine_rank, host, port)


def _parse(dist_url: str) -> tuple[str, int]:
    scheme, name, port = None, None, None
    # An address that cannot be taken apart is reported below, like one without a port.
    with contextlib.suppress(ValueError):
        parts = urlsplit(dist_url)
        scheme, name, port = parts.scheme, parts.hostname, parts.port
    if scheme != "tcp" or not name or not port:
        raise ValueError(
            f"--dist-url {dist_url!r} must be auto or tcp://HOST:PORT, such as "
            "tcp://192.168.1.10:50152."
        )
    try:
        return socket.gethostbyname(name), port
    except OSError as error:
        raise ValueError(f"--dist-url {dist_url!r}: the host {name!r} is not known.") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL_HOST, 0))
        return probe.getsockname()[1]


def check_port(host: str, port: int, dist_url: str) -> None:
    """Look whether a server can be started at an address.

    Args:
        host: IP address of this machine.
        port: number of the port.
        dist_url: for the message.

    Raises:
        ValueError: if the address is not one of this machine.
        OSError: if the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ValueError(
                    f"--dist-url {dist_url!r}: {host} is not an address of this machine, which is "
                    "machine 0; give one of its own."
                ) from error
            raise OSError(
                error.errno,
                f"--dist-url {dist_url!r}: port {port} of {host} cannot be used "
                f"({error.strerror}). Is another job running? Choose another port, or leave the "
                "option away to have a free one chosen.",
            ) from error


def rank_command() -> list[str]:
    """Give the command line that starts the present program once more.

    Raises:
        RuntimeError: if the program is not a file or module: typed in, or from ``python -c``.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    python = [sys.executable, *subprocess._args_from_interpreter_flags()]
    if spec is not None:
        name = spec.name
        name = name[: -len(".__main__")] if name.endswith(".__main__") else name
        return [*python, "-m", name, *sys.argv[1:]]
    file = getattr(main, "__file__", None)
    if not file:
        raise RuntimeError(
            "Several devices need a program in a file, which every process runs; write the call of "
            "launch() into one and start that."
        )
    return [*python, os.path.abspath(file), *sys.argv[1:]]  # noqa: PTH100 - keeps links


def scheduler_command() -> list[str]:
    """Give the command line of the scheduler."""
    root = str(Path(fastreid.__file__).resolve().parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {root!r}); "
        "from fastreid.utils.scheduler import serve; serve()"
    )
    return [sys.executable, "-c", code]


def _cluster(job: Job, inherited: Mapping[str, str]) -> dict[str, str]:
    environment = dict(inherited)
    environment.setdefault("MS_TOPO_TIMEOUT", str(START_SECONDS))
    # Processes that end are noticed by their supervisor; one that ranks a test set is silent long.
    environment.setdefault("MS_NODE_TIMEOUT", "3600")
    environment.update(
        MS_WORKER_NUM=str(job.world_size),
        MS_SCHED_HOST=job.host,
        MS_SCHED_PORT=str(job.port),
        RANK_SIZE=str(job.world_size),
        PYTHONUNBUFFERED="1",
    )
    environment[SUPERVISOR_VARIABLE] = str(os.getpid())
    return environment


def scheduler_environment(job: Job, inherited: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of the scheduler.

    Args:
        job: the job.
        inherited: the present environment.
    """
    return {**_cluster(job, inherited), "MS_ROLE": "MS_SCHED"}


def rank_environment(
    job: Job, rank: int, inherited: Mapping[str, str], output: Path
) -> dict[str, str]:
    """Give the environment of a rank.

    Args:
        job: the job.
        rank: its number in the whole job.
        inherited: the present environment.
        output: gets what the rank prints.
    """
    environment = _cluster(job, inherited)
    # Else every rank starts a thread for every core.
    threads = max((os.cpu_count() or 1) // job.devices, 1)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.update(
        MS_ROLE="MS_WORKER",
        MS_NODE_ID=str(rank),
        RANK_ID=str(rank),
        DEVICE_ID=str(rank - job.ranks.start),
    )
    environment[OUTPUT_VARIABLE] = str(output)
    return environment
