"""What runs in a data worker, and how its errors travel. Nothing here loads MindSpore."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple

from fastreid.config import make_importable
from fastreid.utils.messages.errors import ExplainedError

from ..data_utils import ImageError


class WorkerError(RuntimeError):
    """A data worker died, or failed at something other than an image."""


class WorkerDiedError(ExplainedError, WorkerError):
    """A data worker was ended from outside; nothing in the program is at fault."""


class WorkerTraceback(Exception):  # noqa: N818 - it is shown above the error that it explains
    """Where in the worker process an error came from."""

    def __str__(self) -> str:
        return f"in a data worker:\n{self.args[0]}"


class Caught:
    """Context manager that keeps an error instead of raising it, to hand it to someone else.

    What ends the program (KeyboardInterrupt, SystemExit) still passes.
    """

    error: Exception | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(
        self, _: type | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
            return True
        return False


class Failure(NamedTuple):
    """An error on its way from a worker: always picklable, unlike exceptions.

    Attributes:
        is_image: whether an image is at fault.
        message: for the user.
        trace: where it came from.
    """

    is_image: bool
    message: str
    trace: str

    def as_error(self) -> Exception:
        """Make it an exception again, caused by a `WorkerTraceback`."""
        error = ImageError(self.message) if self.is_image else WorkerError(self.message)
        error.__cause__ = WorkerTraceback(self.trace)
        return error


def worker_main(connection: Connection, files: Mapping[str, str]) -> None:
    """Run jobs that come through a pipe until its other end is closed.

    Args:
        connection: gives pickled (function, args), takes pickled (result, failure).
        files: modules of MODULES and their files, imported only if a job needs them.
    """
    make_importable(files)
    # Ctrl-C reaches the whole group; the main process decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_main_process, daemon=True).start()
    with connection, contextlib.suppress(EOFError, OSError):
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _end_with_main_process() -> None:
    """Leave, even in the midst of a job, when the main process is killed."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _answer(job: bytes) -> bytes:
    with Caught() as caught:
        function, args = pickle.loads(job)
        return pickle.dumps((function(*args), None), pickle.HIGHEST_PROTOCOL)
    error = caught.error
    is_image = isinstance(error, ImageError)
    message = str(error) if is_image else f"A data worker failed: {type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return pickle.dumps((None, Failure(is_image, message, trace)), pickle.HIGHEST_PROTOCOL)
