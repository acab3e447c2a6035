"""SIGTERM, which job schedulers send before SIGKILL: the run ends after its step is saved."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from fastreid.utils.comm import is_main_process

logger = logging.getLogger(__name__)

# Exit code that shells report for a process that SIGTERM ended.
EXIT_CODE = 128 + signal.SIGTERM


class Termination:
    """A request to end the run, obeyed at the next point where the state can be saved.

    With several processes only rank 0 obeys: it saves the common state. The other ranks continue,
    because rank 0 needs them to finish its step; the supervisor ends them afterwards.

    Attributes:
        requested: whether SIGTERM was received.
    """

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Turn SIGTERM into a request while the block runs; only the main thread can do this."""
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
        """Let a request end the block at once; the block must not change state that is saved."""
        self.obey()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
            if self.requested:
                self._log()

    def obey(self) -> None:
        """End the program if this was requested.

        Raises:
            SystemExit: with code 143.
        """
        if self.requested:
            self._log()
            raise SystemExit(EXIT_CODE)

    def _log(self) -> None:
        logger.warning("Ending after SIGTERM; --resume continues from the last checkpoint")

    def _receive(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the interface
        # Nothing is logged here: the signal may have interrupted the writing of a log line.
        self.requested = is_main_process()
        if self.requested and self._at_once:
            raise SystemExit(EXIT_CODE)
