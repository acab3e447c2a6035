"""`CoreWatch`: shares the cores with other programs, and warns when they leave a run no time."""

from __future__ import annotations

import logging

from fastreid.utils.machine import CoreSharing

from ..train_loop import HookBase

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)


class CoreWatch(HookBase):
    """Look at intervals who else uses the cores; log what changes, and a warning once.

    Each rank of a job watches its own threads. See `CoreSharing` for what it does.

    Args:
        seconds: length of the intervals that are looked at.
        moves: whether kernels move when others use many cores, and back.
    """

    def __init__(self, seconds: float = 10.0, *, moves: bool = False) -> None:
        self._seconds = seconds
        self._moves = moves

    def before_train(self) -> None:
        """Start the first interval."""
        self._sharing = CoreSharing(self._seconds, moves=self._moves)

    def after_step(self) -> None:
        """Look at an interval that is over."""
        self._sharing.report(logger)
