"""`LRScheduler`: sets the learning rates of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindspore import nn

from ..train_loop import HookBase


class LRScheduler(HookBase):
    """Set the learning rates of all optimizers before each iteration.

    Args:
        optimizers: one optimizer or several, each with `base_lrs` and `set_learning_rates`.
        schedule: an object with ``rate(iteration, base_lr)``, as `build_lr_scheduler` makes it.
    """

    def __init__(self, optimizers: nn.Cell | Sequence[nn.Cell], schedule: Any) -> None:
        several = isinstance(optimizers, Sequence)
        self._optimizers = tuple(optimizers) if several else (optimizers,)
        self._schedule = schedule

    def before_step(self) -> None:
        """Set the learning rates, and put the first one into the event storage."""
        iteration = self.trainer.iter
        for optimizer in self._optimizers:
            optimizer.set_learning_rates(
                [self._schedule.rate(iteration, lr) for lr in optimizer.base_lrs]
            )
        first = self._schedule.rate(iteration, self._optimizers[0].base_lrs[0])
        self.trainer.storage.put_scalar("lr", first, smoothing_hint=False)
