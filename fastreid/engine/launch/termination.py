"""SIGTERM, which schedulers send before they kill: end at a point where nothing is lost."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from fastreid.utils.comm import is_main_process

logger = logging.getLogger(__name__)

# What shells report of a process that SIGTERM ended.
EXIT_CODE = 128 + signal.SIGTERM


class Termination:
    """A request to end, answered at the next good moment.

    Of several processes the first one answers: it saves what all of them have in common. The others
    stay with it until then, for it cannot finish a step alone; who started them ends them.

    Attributes:
        requested: whether SIGTERM came.
    """

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, SIGTERM is a request. Only the main thread can listen."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a request break the block off, which changes nothing that is to be saved."""
        self.obey()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
            if self.requested:
                self._log()

    def obey(self) -> None:
        """End the program, if that was asked for.

        Raises:
            SystemExit: with code 143.
        """
        if self.requested:
            self._log()
            raise SystemExit(EXIT_CODE)

    def _log(self) -> None:
        logger.warning("Ending, as SIGTERM asked; --resume goes on from the last checkpoint")

    def _receive(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the interface
        # Nothing is logged here: the signal may have come in the midst of writing a line.
        self.requested = is_main_process()
        if self.requested and self._at_once:
            raise SystemExit(EXIT_CODE)
