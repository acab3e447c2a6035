"""`PeriodicCheckpointer`: decides which checkpoints are due after an epoch."""

from __future__ import annotations

import logging
from typing import Any

from .checkpoint_list import ROLLING
from .checkpointer import Checkpointer

logger = logging.getLogger(__name__)


class PeriodicCheckpointer:
    """Saves a checkpoint after every epoch.

    Permanent checkpoints are written every `period` epochs, when the metric improves, and at the
    end. The others are rolling: the two latest, model_iter_<iteration>, are kept. If a checkpoint
    cannot be written, for example to a full disk, a warning is logged and training continues.

    Args:
        checkpointer: writes the files.
        period: epochs between permanent checkpoints; 0: only the best and the last.
        max_epoch: number of epochs, so that `step` finds the last one itself; None: `is_last` of
            `step` marks it.
        best_metric: the best value so far of a resumed run, stored in every checkpoint as
            "best_metric"; None if there is none yet.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        period: int,
        max_epoch: int | None = None,
        *,
        best_metric: float | None = None,
    ) -> None:
        self.checkpointer = checkpointer
        self.period = period
        self.max_epoch = max_epoch
        self.best_metric = best_metric

    def step(
        self, epoch: int, *, metric: float | None = None, is_last: bool = False, **extra: Any
    ) -> None:
        """Save the checkpoints due after an epoch: model_best, model_0004 (the fifth), model_final.

        Args:
            epoch: index of the epoch, from 0.
            metric: score of the epoch, higher is better; None if it was not evaluated.
            is_last: whether this is the end of training.
            **extra: values stored in the checkpoint; must contain "iteration".

        Raises:
            OSError: the final checkpoint cannot be written.
        """
        is_best = metric is not None and (self.best_metric is None or metric > self.best_metric)
        extra["epoch"] = epoch
        # The best is written first, so that `last_checkpoint` begins with the periodic one.
        if is_best and self._try("model_best", **extra, best_metric=metric):
            self.best_metric = metric
        if is_last or epoch + 1 == self.max_epoch:
            self.checkpointer.save("model_final", **extra, best_metric=self.best_metric)
        elif self.period > 0 and (epoch + 1) % self.period == 0:
            self._try(f"model_{epoch:04d}", **extra, best_metric=self.best_metric)
        else:
            self.save_rolling(**extra)

    def save_rolling(self, *, iteration: int, **extra: Any) -> bool:
        """Save a rolling checkpoint.

        Args:
            iteration: number of completed iterations.
            **extra: values stored in the checkpoint.

        Returns:
            Whether the file was written.
        """
        name = f"{ROLLING}{iteration:07d}"
        return self._try(name, iteration=iteration, **extra, best_metric=self.best_metric)

    def _try(self, name: str, **extra: Any) -> bool:
        try:
            self.checkpointer.save(name, **extra)
        except OSError as error:
            logger.warning(
                "Cannot save %s: %s. Earlier checkpoints are intact and training continues; free "
                "some disk space before the next checkpoint is due",
                *(name, error),
            )
            return False
        return True
