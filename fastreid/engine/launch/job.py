"""Addresses, command lines and environments of the processes of a job."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import fastreid
from fastreid.utils.comm import LOCAL_SIZE_VARIABLE
from fastreid.utils.machine import threads_of_each
from fastreid.utils.scheduler import SUPERVISOR_VARIABLE

from .interpreter import interpreter_options

LOCAL_HOST = "127.0.0.1"
# Environment variable with the file for a rank's output until the rank has read its OUTPUT_DIR.
OUTPUT_VARIABLE = "FASTREID_RANK_OUTPUT"
# Seconds that processes and machines wait for each other when a job starts.
START_SECONDS = 120


class Job(NamedTuple):
    """A job of one process per device, and this machine's place in it.

    Attributes:
        devices: number of devices per machine.
        machines: number of machines.
        machine_rank: number of this machine, from 0.
        host: address of the scheduler, which runs on machine 0.
        port: port of the scheduler.
    """

    devices: int
    machines: int
    machine_rank: int
    host: str
    port: int

    @property
    def world_size(self) -> int:
        """Number of processes of the job."""
        return self.devices * self.machines

    @property
    def ranks(self) -> range:
        """Ranks on this machine."""
        return range(self.machine_rank * self.devices, (self.machine_rank + 1) * self.devices)


def make_job(devices: int, machines: int, machine_rank: int, dist_url: str | None) -> Job:
    """Determine the address of the scheduler, and check that it can be used.

    Args:
        devices: number of devices per machine.
        machines: number of machines.
        machine_rank: number of this machine, from 0.
        dist_url: "tcp://HOST:PORT" of machine 0; "auto" or None chooses a free port, for a job on
            one machine.

    Returns:
        The job.

    Raises:
        ValueError: the address is malformed or unknown, or not an address of machine 0.
        OSError: the port is in use.
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
    # An address that cannot be parsed is reported below, like one without a port.
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
    """Check that a server can be started at an address.

    Args:
        host: IP address of this machine.
        port: number of the port.
        dist_url: value of --dist-url, for the message.

    Raises:
        ValueError: the address is not one of this machine.
        OSError: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ValueError(
                    f"--dist-url {dist_url!r}: {host} is not an address of this machine, which is "
                    "machine 0; give an address of this machine."
                ) from error
            raise OSError(
                error.errno,
                f"--dist-url {dist_url!r}: port {port} of {host} cannot be used "
                f"({error.strerror}). Is another job running? Choose another port, or omit "
                "--dist-url to use a free one.",
            ) from error


def rank_command() -> list[str]:
    """Return the command line that starts the running program again.

    Raises:
        RuntimeError: the program is neither a file nor a module: it is from an interactive session
            or from ``python -c``.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    python = [sys.executable, *interpreter_options()]
    if spec is not None:
        name = spec.name
        name = name[: -len(".__main__")] if name.endswith(".__main__") else name
        return [*python, "-m", name, *sys.argv[1:]]
    file = getattr(main, "__file__", None)
    if not file:
        raise RuntimeError(
            "A job on several devices runs a program file in each process; write the call of "
            "launch() into a file and run that."
        )
    return [*python, os.path.abspath(file), *sys.argv[1:]]  # noqa: PTH100 - keeps links


def scheduler_command() -> list[str]:
    """Return the command line of the scheduler."""
    root = str(Path(fastreid.__file__).resolve().parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {root!r}); "
        "from fastreid.utils.scheduler import serve; serve()"
    )
    return [sys.executable, "-c", code]


def _cluster(job: Job, inherited: Mapping[str, str]) -> dict[str, str]:
    environment = dict(inherited)
    environment.setdefault("MS_TOPO_TIMEOUT", str(START_SECONDS))
    # The supervisor detects processes that end; a process that ranks a test set sends nothing for
    # a long time.
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
    """Return the environment of the scheduler.

    Args:
        job: the job.
        inherited: the environment of this process.
    """
    return {**_cluster(job, inherited), "MS_ROLE": "MS_SCHED"}


def rank_environment(
    job: Job, rank: int, inherited: Mapping[str, str], output: Path
) -> dict[str, str]:
    """Return the environment of a rank.

    Args:
        job: the job.
        rank: number of the rank in the whole job.
        inherited: the environment of this process.
        output: file for the output of the rank.
    """
    environment = _cluster(job, inherited)
    # By default every rank would start one thread per core.
    environment["OMP_NUM_THREADS"] = threads_of_each(job.devices, inherited)
    environment.update(
        MS_ROLE="MS_WORKER",
        MS_NODE_ID=str(rank),
        RANK_ID=str(rank),
        DEVICE_ID=str(rank - job.ranks.start),
    )
    environment[LOCAL_SIZE_VARIABLE] = str(job.devices)
    environment[OUTPUT_VARIABLE] = str(output)
    return environment
