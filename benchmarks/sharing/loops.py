"""Busy programs: endless loops that can be stopped for a while."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType

_LOOP = "while True: pass"


def fair_slowdown(busy: int, cores: int) -> float:
    """Return by what factor a program is slowed down that gets its share beside endless loops.

    Args:
        busy: number of loops.
        cores: number of cores that all share.
    """
    return 1 + busy / cores


class Loops:
    """Endless loops, each in a process of its own; a context manager that ends them.

    Args:
        count: number of loops; 0: none.
    """

    def __init__(self, count: int) -> None:
        self._processes = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(count)]

    def __enter__(self) -> Loops:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the loops while the block runs, for what is not measured."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(number)
