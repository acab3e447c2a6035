"""The line between the machines of a job: they start together, and end together.

Machine 0 listens on the port after the scheduler's; the others hold a connection to it as long as
they work. Messages are lines of JSON. A connection that breaks is a failure.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from .job import Job, check_port

_RETRY_SECONDS = 0.5
# A machine that vanishes without closing its connections is missed after 10 + 3 * 5 seconds.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Machines:
    """The other machines of a job, from the view of one; a context manager that meets them.

    Args:
        job: the job.
        patience: seconds to wait for the others.

    Raises:
        TimeoutError: on entry, if not all are there in time.
        ConnectionError: on entry, if one is there that belongs to another job.
        OSError: on entry, if the port is in use.
    """

    def __init__(self, job: Job, patience: float) -> None:
        self._job = job
        self._patience = patience
        self._peers: dict[int, _Peer] = {}

    def __enter__(self) -> Machines:
        if self._job.machines > 1:
            try:
                self._gather() if self._job.machine_rank == 0 else self._join()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._peers.values():
            peer.close()

    def poll(self) -> str:
        """Tell what has failed on another machine; "" if nothing has."""
        for machine, peer in list(self._peers.items()):
            message = peer.receive()
            if message is None:
                continue
            if message.get("done"):
                peer.close()
                del self._peers[machine]
                continue
            failure = f"machine {machine}: {message.get('failed', 'the connection is lost')}"
            self._tell({"failed": failure})
            return failure
        return ""

    def fail(self, message: str) -> None:
        """Tell the others that the job has failed here."""
        self._tell({"failed": message})

    def done(self) -> None:
        """Tell the others that all is done here."""
        self._tell({"done": True})

    def _tell(self, message: dict[str, Any]) -> None:
        for peer in self._peers.values():
            peer.send(message)

    def _gather(self) -> None:
        job = self._job
        deadline = time.monotonic() + self._patience
        check_port(job.host, job.port + 1, f"tcp://{job.host}:{job.port}")
        with socket.create_server((job.host, job.port + 1)) as server:
            while len(self._peers) < job.machines - 1:
                server.settimeout(max(deadline - time.monotonic(), 0.01))
                try:
                    connection, _ = server.accept()
                except socket.timeout as error:
                    missing = sorted(set(range(1, job.machines)) - set(self._peers))
                    raise TimeoutError(
                        f"Machines {missing} did not come to tcp://{job.host}:{job.port + 1} "
                        f"within {self._patience:.0f} s. Start the same command there, with their "
                        "--machine-rank."
                    ) from error
                self._admit(_Peer(connection))
        self._tell({"go": True})

    def _admit(self, peer: _Peer) -> None:
        job = self._job
        hello = peer.receive(timeout=_RETRY_SECONDS * 4) or {}
        machine = hello.get("machine")
        if [hello.get("machines"), hello.get("devices")] != [job.machines, job.devices]:
            fault = f"has --num-machines {hello.get('machines')} --num-gpus {hello.get('devices')}"
        elif machine in self._peers or machine not in range(1, job.machines):
            fault = f"has --machine-rank {machine}, which is not free"
        else:
            self._peers[machine] = peer
            return
        peer.send({"failed": f"it {fault}"})
        peer.close()
        # Whatever else knocks at the port is turned away, and the wait goes on.
        if hello:
            raise ConnectionError(
                f"A machine came that {fault}; this one has --num-machines {job.machines} "
                f"--num-gpus {job.devices}."
            )

    def _join(self) -> None:
        job = self._job
        address = (job.host, job.port + 1)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                connection = socket.create_connection(address, timeout=5.0)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"Machine 0 could not be reached at tcp://{job.host}:{job.port + 1} "
                        f"within {self._patience:.0f} s ({error}). Is it started, is --dist-url "
                        "the same there, and are this port and the one before it open?"
                    ) from error
            time.sleep(_RETRY_SECONDS)
        peer = self._peers[0] = _Peer(connection)
        peer.send({"machine": job.machine_rank, "machines": job.machines, "devices": job.devices})
        answer = peer.receive(timeout=max(deadline - time.monotonic(), 1.0) + 5.0)
        if not (answer or {}).get("go"):
            reason = (answer or {}).get("failed", "it does not answer, or has given up")
            raise ConnectionError(f"Machine 0 at tcp://{job.host}:{job.port + 1}: {reason}.")


class _Peer:
    """A connection that carries lines of JSON."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._text = b""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            # Not every system has them all.
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._connection.settimeout(5.0)
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            # It is gone: the next receive says so.
            return

    def receive(self, timeout: float = 0.0) -> dict[str, Any] | None:
        """Give the next message, None if there is none yet, {} if the connection is lost."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._text:
            self._connection.settimeout(max(deadline - time.monotonic(), 0.0))
            try:
                part = self._connection.recv(4096)
            except (BlockingIOError, socket.timeout):
                return None
            except OSError:
                return {}
            if not part:
                return {}
            self._text += part
        line, _, self._text = self._text.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def close(self) -> None:
        self._connection.close()
