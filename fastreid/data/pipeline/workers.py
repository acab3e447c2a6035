"""Worker processes of the data pipeline. Neither this module nor the workers import MindSpore.

Each worker has its own pipe, so a killed worker cannot leave a shared lock locked, and its death
shows at once as the end of its pipe.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, NamedTuple, cast

from fastreid.config import imported_files

from .stalls import StallDetector
from .worker_process import Caught, WorkerDiedError, WorkerError, worker_main

__all__ = ["Caught", "WorkerDiedError", "WorkerError", "WorkerPool"]

# How often the pool checks its workers while no pipe has data.
_POLL_SECONDS = 1.0
_CLOSED = "The data workers were closed."


@contextlib.contextmanager
def _isolated_start() -> Iterator[None]:
    """Context in which processes are started: it hides the main script and blocks Ctrl-C.

    Spawned processes would run the main script again. That would import MindSpore, and every
    user's script would need ``if __name__ == "__main__"``.
    """
    main_module = sys.modules["__main__"]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Started here, not by the first process: starting the tracker unblocks Ctrl-C again.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection

    @property
    def pid(self) -> int:
        assert self.process.pid is not None  # It was started.
        return self.process.pid


def _pid(worker: _Worker) -> int:
    assert worker.process.pid is not None, "the process was started"
    return worker.process.pid


class WorkerPool:
    """Processes that run jobs for all loaders of a run; the pool closes with its last user.

    Args:
        num_workers: number of processes; 0: every job runs in the calling thread.

    Raises:
        ValueError: ``num_workers`` is negative.
    """

    def __init__(self, num_workers: int) -> None:
        if num_workers < 0:
            raise ValueError(
                f"DATALOADER.NUM_WORKERS is {num_workers}; it must be 0 (no processes) or more."
            )
        self.num_workers = num_workers
        self._users = 0
        self._lock = threading.Lock()
        self._jobs: deque[tuple[bytes, Future]] = deque()
        self._workers: list[_Worker] = []
        self._thread: threading.Thread | None = None
        self._failure: str | None = None
        self._open = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers; empty before the first job."""
        return [_pid(worker) for worker in self._workers]

    def attach(self) -> None:
        """Add a user; the first one opens the pool."""
        self._users += 1
        self._open = True

    def detach(self) -> None:
        """Remove a user; the last one closes the pool."""
        self._users -= 1
        if self._users <= 0:
            self.close()

    def start(self) -> None:
        """Start the processes if they do not run yet."""
        with self._lock:
            if self._thread is not None or not self.num_workers or not self._open:
                return
            self._failure = None
            context = multiprocessing.get_context("spawn")
            with _isolated_start():
                self._workers = [self._spawn(context) for _ in range(self.num_workers)]
            self._wake_reader, self._wake_writer = context.Pipe(duplex=False)
            self._thread = threading.Thread(target=self._serve, name="data-workers", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    @staticmethod
    def _spawn(context: multiprocessing.context.SpawnContext) -> _Worker:
        ours, theirs = context.Pipe()
        process = context.Process(target=worker_main, args=(theirs, imported_files()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def submit(self, function: Callable, *args: Any) -> Future:
        """Call a function in a worker.

        Args:
            function: function that is importable by name, from a module that does not import
                MindSpore.
            args: picklable arguments.

        Returns:
            Future of the result. Instead of the function's error, it raises ImageError or
            WorkerError with the worker's traceback; WorkerError also if a worker died.
        """
        future: Future = Future()
        if not self.num_workers:
            with Caught() as caught:
                future.set_result(function(*args))
            if caught.error is not None:
                future.set_exception(caught.error)
            return future
        job = pickle.dumps((function, args), pickle.HIGHEST_PROTOCOL)
        self.start()
        with self._lock:
            if self._failure is not None or not self._open:
                future.set_exception(WorkerDiedError(self._failure or _CLOSED))
            else:
                self._jobs.append((job, future))
                self._wake_writer.send_bytes(b"job")
        return future

    def close(self) -> None:
        """End the processes; unfinished jobs fail. Further calls have no effect."""
        with self._lock:
            self._open = False
            thread = self._thread
            if thread is None:
                return
            self._wake_writer.send_bytes(b"close")
        thread.join()
        with self._lock:
            self._wake_reader.close()
            self._wake_writer.close()
            self._workers = []
            self._thread = None
        atexit.unregister(self.close)

    def _serve(self) -> None:
        """Send jobs to idle workers and set results of futures, until closed or a worker fails."""
        idle = list(self._workers)
        busy: dict[Connection, tuple[_Worker, Future]] = {}
        failure, stalls = None, StallDetector()
        while failure is None and self._open:
            self._hand_out(idle, busy)
            pipes = [self._wake_reader, *(worker.connection for worker in self._workers)]
            for ready in cast("list[Connection]", wait(pipes, timeout=_POLL_SECONDS)):
                if ready is self._wake_reader:
                    self._wake_reader.recv_bytes()
                elif not self._collect(ready, idle, busy):
                    failure = self._death(ready)
            running = {_pid(worker): future for worker, future in busy.values()}
            failure = failure or self._death() or stalls.check(running)
        self._end(failure, [future for _, future in busy.values()])

    def _hand_out(self, idle: list[_Worker], busy: dict) -> None:
        with self._lock:
            while idle and self._jobs:
                job, future = self._jobs.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                worker = idle.pop()
                busy[worker.connection] = worker, future
                # If the worker has died, reading its answer shows it.
                with contextlib.suppress(OSError):
                    worker.connection.send_bytes(job)

    @staticmethod
    def _collect(connection: Connection, idle: list[_Worker], busy: dict) -> bool:
        """Receive an answer; False if the worker has died."""
        try:
            answer = connection.recv_bytes()
        except (EOFError, OSError):
            return False
        worker, future = busy.pop(connection)
        idle.append(worker)
        result, failure = pickle.loads(answer)
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure.as_error())
        return True

    def _death(self, ended: Connection | None = None) -> str | None:
        """Describe the worker whose pipe ended, or the first dead worker; None if all are alive."""
        for process, connection in self._workers:
            if connection is ended or not process.is_alive():
                process.join(timeout=_POLL_SECONDS)
                code = process.exitcode
                how = f"exit code {code}"
                if code is not None and code < 0:
                    how = f"killed by {signal.Signals(-code).name}"
                return (
                    f"Data worker {process.pid} died ({how}). If the system ran out of memory, "
                    "lower DATALOADER.NUM_WORKERS; 0 reads images in the main process."
                )
        return None

    def _end(self, failure: str | None, running: list[Future]) -> None:
        with self._lock:
            self._failure = failure
            waiting = [future for _, future in self._jobs]
            self._jobs.clear()
        for process, connection in self._workers:
            # Killed, because workers have nothing to clean up and SIGTERM may be ignored.
            process.kill()
            connection.close()
        for process, _ in self._workers:
            process.join()
        for future in waiting:
            future.set_running_or_notify_cancel()
        for future in [*running, *waiting]:
            if not future.cancelled():
                future.set_exception(WorkerDiedError(failure or _CLOSED))
