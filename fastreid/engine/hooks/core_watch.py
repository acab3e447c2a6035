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
        adapts: whether kernels move when others use many cores.
        undoes: whether they move back when the others have ended.
    """

    def __init__(
        self, seconds: float = 10.0, *, adapts: bool = False, undoes: bool = False
    ) -> None:
        self._seconds = seconds
        self._options = {"adapts": adapts, "undoes": undoes}

    def before_train(self) -> None:
        """Start the first interval."""
        self._sharing = CoreSharing(self._seconds, **self._options)

    def after_step(self) -> None:
        """Look at an interval that is over."""
        self._sharing.report(logger)
