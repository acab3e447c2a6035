"""The threads that answer requests, and how many requests they take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


class BusyError(Exception):
    """Too many requests are waiting."""


class RequestPool:
    """Runs functions in threads, some at once; the others wait, up to a number.

    Args:
        threads: how many run at once.
        waiting: how many may wait.
        name: of the threads.
    """

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(threads + waiting)

    async def run(self, task: Callable[[], Answer]) -> Answer:
        """Run a function; if the caller is cancelled while it waits, it does not run.

        Args:
            task: the function.

        Returns:
            What it returns.

        Raises:
            BusyError: if too many wait.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError
        future: Future[Answer] = self._threads.submit(task)
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads; functions that wait do not run."""
        self._threads.shutdown(wait=False, cancel_futures=True)
