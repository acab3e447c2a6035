"""The training loop: iterations, epochs and hooks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from fastreid.utils.events import EventStorage

from ..launch.termination import Termination

logger = logging.getLogger(__name__)


class HookBase:
    """Base class of hooks, which run at fixed points of training; override what you need.

    `trainer` is set when the hook is registered. The order of calls is before_train, then for each
    epoch before_epoch, for each iteration before_step and after_step, then after_epoch; at the end
    after_train.
    """

    trainer: TrainerBase

    def before_train(self) -> None:
        """Run once, before the first iteration."""

    def after_train(self) -> None:
        """Run once, after the last iteration, also when an error ends the run."""

    def before_epoch(self) -> None:
        """Run before the first iteration of each epoch."""

    def after_epoch(self) -> None:
        """Run after the last iteration of each epoch; `trainer.iter` includes that iteration."""

    def before_step(self) -> None:
        """Run before each iteration."""

    def after_step(self) -> None:
        """Run after each iteration; `trainer.iter` is still the number of that iteration."""


class TrainerBase:
    """Iterate `run_step` over epochs and call the hooks.

    A subclass implements `run_step`. It may also extend the methods ``before_train`` to
    ``after_epoch``, which call the hooks.

    Attributes:
        iter: number of finished iterations, counted over the whole run.
        max_iter: number of iterations after which the run ends.
        epoch: number of finished epochs.
        finished: whether the last iteration was reached without an error.
        evaluation_due: whether the evaluation at this point of the run has not finished yet.
        best_metric: the best score of the run so far; None before the first evaluation.
        termination: holds a request to end the run before the next iteration.
    """

    def __init__(self) -> None:
        self._hooks: list[HookBase] = []
        self.iter = 0
        self.max_iter = 0
        self.epoch = 0
        self.finished = False
        self.evaluation_due = False
        self.best_metric: float | None = None
        self.termination = Termination()

    def register_hooks(self, hooks: Iterable[HookBase]) -> None:
        """Add hooks; they are called in the order in which they were registered."""
        for hook in hooks:
            hook.trainer = self
            self._hooks.append(hook)

    def train(self, start_iter: int, max_iter: int, iters_per_epoch: int) -> None:
        """Run from one iteration to another.

        Args:
            start_iter: number of iterations done before; 0 in a new run.
            max_iter: number of iterations after which to stop, possibly inside an epoch.
            iters_per_epoch: number of iterations in an epoch.
        """
        logger.info("Starting training from iteration %d", start_iter)
        self.iter = start_iter
        self.max_iter = max_iter
        self.finished = False
        with EventStorage(start_iter) as self.storage:
            try:
                self.before_train()
                if self.evaluation_due and start_iter and start_iter % iters_per_epoch == 0:
                    # The earlier run ended during the hooks of this epoch's end.
                    self.epoch = self.storage.epoch = start_iter // iters_per_epoch - 1
                    self.after_epoch()
                while self.iter < max_iter:
                    self._run_iteration(iters_per_epoch)
                self.finished = True
            finally:
                self.after_train()

    def _run_iteration(self, iters_per_epoch: int) -> None:
        self.epoch = self.iter // iters_per_epoch
        self.storage.epoch = self.epoch
        self.storage.iter = self.iter
        if self.iter % iters_per_epoch == 0:
            self.before_epoch()
        self.before_step()
        self.run_step()
        self.after_step()
        self.iter += 1
        ends_epoch = self.iter % iters_per_epoch == 0
        if ends_epoch or self.iter == self.max_iter:
            # Before the model is evaluated or saved.
            self.finish()
            self.finished = self.iter == self.max_iter
        if ends_epoch:
            self.after_epoch()

    def before_train(self) -> None:
        """Call the hooks' `before_train`."""
        self._call_hooks("before_train")

    def after_train(self) -> None:
        """Call the hooks' `after_train`."""
        self._call_hooks("after_train")

    def before_epoch(self) -> None:
        """Call the hooks' `before_epoch`."""
        self._call_hooks("before_epoch")

    def after_epoch(self) -> None:
        """Call the hooks' `after_epoch`."""
        self._call_hooks("after_epoch")

    def before_step(self) -> None:
        """Call the hooks' `before_step`."""
        self._call_hooks("before_step")

    def after_step(self) -> None:
        """Call the hooks' `after_step`."""
        self._call_hooks("after_step")

    def _call_hooks(self, point: str) -> None:
        # Every hook runs even if an earlier one raises: a failed evaluation must not prevent the
        # checkpoint.
        with ExitStack() as stack:
            for hook in reversed(self._hooks):
                stack.callback(getattr(hook, point))

    def run_step(self) -> None:
        """Train for one iteration."""
        raise NotImplementedError

    def finish(self) -> None:
        """Check the results of the last steps; called at the end of each epoch and of the run."""

    def checkpoint_extra(self) -> dict[str, Any]:
        """Return the values that a checkpoint contains besides weights and states."""
        return {"iteration": self.iter}
