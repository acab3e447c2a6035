"""`MovingAverage`: averages the weights during a run."""

from __future__ import annotations

from ..train_loop import HookBase
from ..weight_average import WeightAverage


class MovingAverage(HookBase):
    """Move the average of the weights after each iteration.

    Args:
        average: the average; the caller applies it where it evaluates and saves.
    """

    def __init__(self, average: WeightAverage) -> None:
        self._average = average

    def before_train(self) -> None:
        """Begin with the weights that the run begins with."""
        self._average.start()

    def after_step(self) -> None:
        """Move the average."""
        self._average.update()
