"""The main loop of a data worker, and how it sends errors back. Does not import MindSpore."""

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
    """A data worker died, or failed for a reason other than an image."""


class WorkerDiedError(ExplainedError, WorkerError):
    """A data worker was ended from outside, not by an error of the program."""


class WorkerTraceback(Exception):  # noqa: N818 - shown above the error that it explains
    """Traceback of an error in the worker process."""

    def __str__(self) -> str:
        return f"in a data worker:\n{self.args[0]}"


class Caught:
    """Context manager that catches an error and stores it in ``error``.

    KeyboardInterrupt and SystemExit, which end the program, are not caught.
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
    """Description of an error in a worker, which can always be pickled, unlike exceptions.

    Attributes:
        is_image: whether an image caused the error.
        message: message for the user.
        trace: traceback, as text.
    """

    is_image: bool
    message: str
    trace: str

    def as_error(self) -> Exception:
        """Convert it to an exception whose cause is a `WorkerTraceback`."""
        error = ImageError(self.message) if self.is_image else WorkerError(self.message)
        error.__cause__ = WorkerTraceback(self.trace)
        return error


def worker_main(connection: Connection, files: Mapping[str, str]) -> None:
    """Run jobs from a pipe until its other end is closed.

    Args:
        connection: pipe that brings pickled (function, args) and takes pickled (result, failure).
        files: names of the modules in MODULES and their files, imported only if a job needs them.
    """
    make_importable(files)
    # Ctrl-C reaches the whole process group; only the main process reacts to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_main_process, daemon=True).start()
    with connection, contextlib.suppress(EOFError, OSError):
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _end_with_main_process() -> None:
    """End this process, even during a job, when the main process is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _answer(job: bytes) -> bytes:
    with Caught() as caught:
        function, args = pickle.loads(job)
        return pickle.dumps((function(*args), None), pickle.HIGHEST_PROTOCOL)
    error = caught.error
    assert error is not None
    is_image = isinstance(error, ImageError)
    message = str(error) if is_image else f"A data worker failed: {type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return pickle.dumps((None, Failure(is_image, message, trace)), pickle.HIGHEST_PROTOCOL)
