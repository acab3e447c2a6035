"""The connections between the machines of a job, which make them start and end together.

Machine 0 listens on the port after the scheduler's; each other machine keeps a connection to it
until it is done. Messages are lines of JSON. A lost connection is a failure.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from .job import Job, check_port

_RETRY_SECONDS = 0.5
# A machine that disappears without closing its connections is detected after 10 + 3 * 5 seconds.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Machines:
    """The connections of one machine to the other machines of a job; a context manager.

    Args:
        job: the job.
        timeout: number of seconds to wait for the other machines.

    Raises:
        TimeoutError: on entry, not all machines connected in time.
        ConnectionError: on entry, a machine of another job connected.
        OSError: on entry, the port is in use.
    """

    def __init__(self, job: Job, timeout: float) -> None:
        self._job = job
        self._timeout = timeout
        self._peers: dict[int, _Peer] = {}

    def __enter__(self) -> Machines:
        if self._job.machines > 1:
            try:
                self._accept_all() if self._job.machine_rank == 0 else self._connect()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._peers.values():
            peer.close()

    def poll(self) -> str:
        """Return the failure of another machine; "" if there is none."""
        for machine, peer in list(self._peers.items()):
            message = peer.receive()
            if message is None:
                continue
            if message.get("done"):
                peer.close()
                del self._peers[machine]
                continue
            failure = f"machine {machine}: {message.get('failed', 'the connection is lost')}"
            self._send_to_all({"failed": failure})
            return failure
        return ""

    def fail(self, message: str) -> None:
        """Send the other machines the failure of this one."""
        self._send_to_all({"failed": message})

    def done(self) -> None:
        """Send the other machines that this one is done."""
        self._send_to_all({"done": True})

    def _send_to_all(self, message: dict[str, Any]) -> None:
        for peer in self._peers.values():
            peer.send(message)

    def _accept_all(self) -> None:
        job = self._job
        deadline = time.monotonic() + self._timeout
        check_port(job.host, job.port + 1, f"tcp://{job.host}:{job.port}")
        with socket.create_server((job.host, job.port + 1)) as server:
            while len(self._peers) < job.machines - 1:
                server.settimeout(max(deadline - time.monotonic(), 0.01))
                try:
                    connection, _ = server.accept()
                except socket.timeout as error:
                    missing = sorted(set(range(1, job.machines)) - set(self._peers))
                    raise TimeoutError(
                        f"Machines {missing} did not connect to tcp://{job.host}:{job.port + 1} "
                        f"within {self._timeout:.0f} s. Start the same command there, with their "
                        "--machine-rank."
                    ) from error
                self._admit(_Peer(connection))
        self._send_to_all({"go": True})

    def _admit(self, peer: _Peer) -> None:
        job = self._job
        first = peer.receive(timeout=_RETRY_SECONDS * 4) or {}
        machine = first.get("machine", 0)
        if [first.get("machines"), first.get("devices")] != [job.machines, job.devices]:
            options = f"--num-machines {first.get('machines')} --num-gpus {first.get('devices')}"
        elif machine in self._peers or machine not in range(1, job.machines):
            options = f"--machine-rank {machine}, which is already in use"
        else:
            self._peers[machine] = peer
            return
        peer.send({"failed": f"this machine has {options}"})
        peer.close()
        # A connection of another program sends no such message: it is closed and ignored.
        if first:
            raise ConnectionError(
                f"A machine with {options} connected; this one has --num-machines {job.machines} "
                f"--num-gpus {job.devices}."
            )

    def _connect(self) -> None:
        job = self._job
        address = (job.host, job.port + 1)
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                connection = socket.create_connection(address, timeout=5.0)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"Machine 0 could not be reached at tcp://{job.host}:{job.port + 1} "
                        f"within {self._timeout:.0f} s ({error}). Check that the job is started "
                        "there with the same --dist-url, and that this port and the one before it "
                        "are open."
                    ) from error
            time.sleep(_RETRY_SECONDS)
        peer = self._peers[0] = _Peer(connection)
        peer.send({"machine": job.machine_rank, "machines": job.machines, "devices": job.devices})
        answer = peer.receive(timeout=max(deadline - time.monotonic(), 1.0) + 5.0)
        if not (answer or {}).get("go"):
            reason = (answer or {}).get("failed", "it does not answer, or its job has ended")
            raise ConnectionError(f"Machine 0 at tcp://{job.host}:{job.port + 1}: {reason}.")


class _Peer:
    """A connection on which lines of JSON are sent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._text = b""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            # Some systems lack some of these options.
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._connection.settimeout(5.0)
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            # The connection is lost; the next call of `receive` reports it.
            return

    def receive(self, timeout: float = 0.0) -> dict[str, Any] | None:
        """Return the next message, None if there is none yet, {} if the connection is lost."""
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
