"""`EvalHook`: evaluates during and after training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastreid.evaluation import flatten_results_dict

from ..launch.termination import Termination
from ..train_loop import HookBase


class EvalHook(HookBase):
    """Evaluate after every `period` epochs and at the end, and put the scores into the storage.

    Args:
        period: epochs between evaluations; 0: only at the end.
        evaluate: called without arguments; returns test set -> score name -> value.
        termination: a request to end the run interrupts an evaluation, and the resumed run does it
            again; None: the trainer's requests.
    """

    def __init__(
        self,
        period: int,
        evaluate: Callable[[], Mapping[str, Any] | None],
        *,
        termination: Termination | None = None,
    ) -> None:
        self._period = period
        self._evaluate = evaluate
        self._termination = termination
        self._evaluated_at = -1

    def after_epoch(self) -> None:
        """Evaluate if the period is over."""
        done = self.trainer.epoch + 1
        if self._period > 0 and done % self._period == 0:
            self._run()

    def after_train(self) -> None:
        """Evaluate the finished model, unless `after_epoch` has just done so."""
        if self.trainer.finished and self._evaluated_at != self.trainer.iter:
            self._run()

    def _run(self) -> None:
        self._evaluated_at = self.trainer.iter
        storage = self.trainer.storage
        storage.iter = self.trainer.iter - 1
        self.trainer.evaluation_due = True
        with (self._termination or self.trainer.termination).at_once():
            evaluated = self._evaluate()
        self.trainer.evaluation_due = False
        for name, value in flatten_results_dict(evaluated or {}).items():
            if isinstance(value, (int, float)):
                storage.put_scalar(name, value, smoothing_hint=False)
