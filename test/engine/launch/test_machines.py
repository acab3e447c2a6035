import socket
import threading
import time

import pytest

from fastreid.engine.launch.job import Job
from fastreid.engine.launch.machines import Machines


@pytest.fixture
def port():
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        number = first.getsockname()[1]
        second.bind(("127.0.0.1", number + 1))
    return number


def machines(port, rank, *, count=2, devices=1, timeout=10.0):
    return Machines(Job(devices, count, rank, "127.0.0.1", port), timeout)


class Other(threading.Thread):
    """Another machine, in a thread; does something once all have met."""

    def __init__(self, line, act):
        super().__init__()
        self.line, self.act, self.error = line, act, None
        self.start()

    def run(self):
        try:
            with self.line:
                self.act(self.line)
        except OSError as error:
            self.error = error


def wait_for_failure(line):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        failure = line.poll()
        if failure:
            return failure
        time.sleep(0.02)
    return ""


def test_a_single_machine_waits_for_no_other():
    with machines(1, 0, count=1) as line:
        assert line.poll() == ""


def test_machines_that_are_done_may_leave(port):
    other = Other(machines(port, 1), lambda line: line.done())
    with machines(port, 0) as line:
        other.join()
        time.sleep(0.1)
        assert [line.poll(), line.poll()] == ["", ""]


@pytest.mark.parametrize(("failing", "watching"), [(0, 1), (1, 0)])
def test_a_failure_is_sent_to_the_other_machine(port, failing, watching):
    other = Other(machines(port, failing), lambda line: line.fail("rank 7 failed"))
    with machines(port, watching) as line:
        assert wait_for_failure(line) == f"machine {failing}: rank 7 failed"
    other.join()


def test_a_failure_on_one_machine_reaches_a_third_by_way_of_machine_0(port):
    heard = []
    others = [
        Other(machines(port, 1, count=3), lambda line: line.fail("rank 1 failed")),
        Other(machines(port, 2, count=3), lambda line: heard.append(wait_for_failure(line))),
    ]
    with machines(port, 0, count=3) as line:
        wait_for_failure(line)
        for other in others:
            other.join()
    assert heard == ["machine 0: machine 1: rank 1 failed"]


def test_a_machine_that_vanishes_is_a_failure(port):
    Other(machines(port, 1), lambda line: None)
    with machines(port, 0) as line:
        assert wait_for_failure(line) == "machine 1: the connection is lost"


def test_machine_0_does_not_wait_forever(port):
    with pytest.raises(TimeoutError, match=r"Machines \[1\] did not connect .* within 0 s"):
        machines(port, 0, timeout=0.3).__enter__()


def test_other_machines_do_not_wait_forever_for_machine_0(port):
    with pytest.raises(TimeoutError, match=rf"could not be reached at tcp://127.0.0.1:{port + 1}"):
        machines(port, 1, timeout=0.3).__enter__()


def test_two_machines_of_one_rank_or_of_another_size_are_refused(port):
    other = Other(machines(port, 1, devices=3), lambda line: None)
    with pytest.raises(ConnectionError, match="with --num-machines 2 --num-gpus 3 connected"):
        machines(port, 0).__enter__()
    other.join()
    assert "this machine has --num-machines 2 --num-gpus 3" in str(other.error)


def test_connections_of_other_programs_are_closed_and_ignored(port):
    def connect():
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", port + 1)) as other:
            other.sendall(b"GET / HTTP/1.1\r\n\r\n")
            Other(machines(port, 1), lambda line: line.done()).join()

    thread = threading.Thread(target=connect)
    thread.start()
    with machines(port, 0):
        thread.join()
