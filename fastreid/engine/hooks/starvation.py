"""`StarvationWatch`: warns when other programs leave a run no time on the cores."""

from __future__ import annotations

import logging

from fastreid.utils.machine import StarvationMeter

from ..train_loop import HookBase

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)


class StarvationWatch(HookBase):
    """Log a warning, once, when the run waits for a core for almost all of its time.

    Each rank of a job watches its own threads. See `StarvationMeter` for what it does then.

    Args:
        seconds: length of the intervals that are looked at.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds

    def before_train(self) -> None:
        """Start the first interval."""
        self._meter = StarvationMeter(self._seconds)

    def after_step(self) -> None:
        """Look at an interval that is over."""
        warning = self._meter.look()
        if warning:
            logger.warning(warning)
