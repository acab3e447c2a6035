"""Hooks that save checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastreid.utils import checkpoint

from ..launch.termination import Termination
from ..train_loop import HookBase


class CheckpointHook(HookBase):
    """Save checkpoints after epochs, between them, at the end, and on a request to end the run.

    "Best" is chosen on the target domain: report its scores beside those of the last epoch, not
    in their place.

    Args:
        checkpointer: decides which checkpoint is due, and saves it.
        metric: returns the value that decides "best"; None before the first evaluation.
        extra: returns the values that a checkpoint contains besides weights and states; must
            include "iteration".
        period_iters: iterations between checkpoints inside an epoch; 0: none.
        termination: holds a request to end the run before the next iteration; None: the trainer's.
    """

    def __init__(
        self,
        checkpointer: checkpoint.PeriodicCheckpointer,
        *,
        metric: Callable[[], float | None],
        extra: Callable[[], Mapping[str, Any]],
        period_iters: int = 0,
        termination: Termination | None = None,
    ) -> None:
        self._checkpointer = checkpointer
        self._metric = metric
        self._extra = extra
        self._period_iters = period_iters
        self._termination = termination
        self._saved_at = 0

    def before_train(self) -> None:
        """Copy the iteration and the best metric from which the trainer resumes."""
        self._saved_at = self.trainer.iter
        if self._checkpointer.best_metric is None:
            self._checkpointer.best_metric = self.trainer.best_metric

    def before_step(self) -> None:
        """Save if the period is over; save and end the run if that was requested."""
        termination = self._termination or self.trainer.termination
        done = self.trainer.iter
        is_due = self._period_iters > 0 and done % self._period_iters == 0
        if (is_due or termination.requested) and done != self._saved_at:
            # Only weights whose last step is known to be finite are saved.
            self.trainer.finish()
            self._checkpointer.save_rolling(epoch=self.trainer.epoch, **self._extra())
            self._saved_at = done
        termination.obey()

    def after_epoch(self) -> None:
        """Save the checkpoint that is due after an epoch."""
        if self.trainer.iter < self.trainer.max_iter:
            self._step(is_last=False)

    def after_train(self) -> None:
        """Save the finished model."""
        if self.trainer.finished:
            self._step(is_last=True)

    def _step(self, *, is_last: bool) -> None:
        self._saved_at = self.trainer.iter
        self._checkpointer.step(
            self.trainer.epoch, metric=self._metric(), is_last=is_last, **self._extra()
        )
        self.trainer.best_metric = self._checkpointer.best_metric


class PeriodicCheckpointer(CheckpointHook):
    """Save checkpoints after epochs and at the end, with fast-reid's arguments.

    The mean of the last scores that are called "metric" decides "best".

    Args:
        checkpointer: a `Checkpointer`.
        period: epochs between checkpoints that stay; 0: only the best and the last.
        max_epoch: not used; the trainer has it. fast-reid's callers pass it.
    """

    def __init__(
        self, checkpointer: checkpoint.Checkpointer, period: int, max_epoch: int | None = None
    ) -> None:
        del max_epoch
        super().__init__(
            checkpoint.PeriodicCheckpointer(checkpointer, period),
            metric=self._last_metric,
            extra=lambda: self.trainer.checkpoint_extra(),
        )

    def _last_metric(self) -> float | None:
        latest = self.trainer.storage.latest()
        return mean_metric({name: value for name, (value, _) in latest.items()})


def mean_metric(scores: Mapping[str, float]) -> float | None:
    """Return the mean, over test sets, of the scores that are called "metric".

    Args:
        scores: "<test set>/<score name>" -> value; other names may be among them.

    Returns:
        The mean; None if there is no such score.

    Examples:
        >>> from fastreid.engine.hooks.checkpoints import mean_metric
        >>> mean_metric({"CUHK03/metric": 40.0, "CUHK03/mAP": 35.0, "MSMT17/metric": 60.0})
        50.0
    """
    found = [value for name, value in scores.items() if name.split("/")[-1] == "metric"]
    return float(sum(found) / len(found)) if found else None
