"""What happens around the steps: rates, timing, evaluation, checkpoints, logs, pictures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mindspore import nn

from fastreid.utils.checkpoint import PeriodicCheckpointer
from fastreid.utils.events import EventWriter, max_memory_gb
from fastreid.utils.visualizer import plot_training_curves

from .launch.termination import Termination
from .train_loop import HookBase

logger = logging.getLogger(__name__)


class IterationTimer(HookBase):
    """Put the seconds of each iteration and the largest memory so far into the event storage."""

    def before_step(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def after_step(self) -> None:
        """Stop it. The first iteration compiles and would mislead the estimate of what is left."""
        if self.trainer.iter > self._first_iter:
            self.trainer.storage.put_scalar("time", time.perf_counter() - self._start)
        self.trainer.storage.put_scalar("max_mem_gb", max_memory_gb(), smoothing_hint=False)

    def before_train(self) -> None:
        """Remember where this run starts."""
        self._first_iter = self.trainer.iter
        self._began = time.perf_counter()

    def after_train(self) -> None:
        """Log the whole time."""
        done = self.trainer.iter - self._first_iter
        logger.info("%d iterations in %.1f s", done, time.perf_counter() - self._began)


class LRScheduler(HookBase):
    """Set the rates of all optimizers before each iteration.

    Args:
        optimizers: with `base_lrs` and `set_learning_rates`.
        schedule: with ``rate(iteration, base_lr)``.
    """

    def __init__(self, optimizers: Sequence[nn.Cell], schedule: Any) -> None:
        self._optimizers = tuple(optimizers)
        self._schedule = schedule

    def before_step(self) -> None:
        """Set the rates and log the first one."""
        iteration = self.trainer.iter
        for optimizer in self._optimizers:
            optimizer.set_learning_rates(
                [self._schedule.rate(iteration, lr) for lr in optimizer.base_lrs]
            )
        first = self._schedule.rate(iteration, self._optimizers[0].base_lrs[0])
        self.trainer.storage.put_scalar("lr", first, smoothing_hint=False)


class EvalHook(HookBase):
    """Evaluate every some epochs and at the end.

    Args:
        period: epochs between evaluations; 0: only at the end.
        evaluate: gives results by test set, name -> value in percent.
        termination: a request to end breaks an evaluation off: the resumed run does it again.
    """

    def __init__(
        self,
        period: int,
        evaluate: Callable[[], Mapping[str, Mapping[str, Any]]],
        *,
        termination: Termination | None = None,
    ) -> None:
        self._period = period
        self._evaluate = evaluate
        self._termination = termination or Termination()
        self._evaluated_at = -1

    def after_epoch(self) -> None:
        """Evaluate where an evaluation is due."""
        done = self.trainer.epoch + 1
        if self._period > 0 and done % self._period == 0:
            self._run()

    def after_train(self) -> None:
        """Evaluate the finished model, unless that was done just now."""
        if self.trainer.finished and self._evaluated_at != self.trainer.iter:
            self._run()

    def _run(self) -> None:
        self._evaluated_at = self.trainer.iter
        storage = self.trainer.storage
        storage.iter = self.trainer.iter - 1
        self.trainer.evaluation_due = True
        with self._termination.at_once():
            evaluated = self._evaluate()
        self.trainer.evaluation_due = False
        for dataset, results in evaluated.items():
            numbers = {
                f"{dataset}/{name}": value
                for name, value in results.items()
                if isinstance(value, (int, float))
            }
            storage.put_scalars(**numbers, smoothing_hint=False)


class CheckpointHook(HookBase):
    """Save a checkpoint after epochs and between them, at the end, and where the run is to end.

    "Best" is chosen on the target domain: report it beside the last epoch, never in its place.

    Args:
        checkpointer: decides what is due, and saves it.
        metric: reads the value that decides "best"; None before the first evaluation.
        extra: reads what else belongs into a checkpoint, "iteration" among it.
        period_iters: iterations between checkpoints in the midst of an epoch; 0: none.
        termination: whether the run is to end before the next iteration.
    """

    def __init__(
        self,
        checkpointer: PeriodicCheckpointer,
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
        self._termination = termination or Termination()
        self._saved_at = 0

    def before_train(self) -> None:
        """Remember that nothing is new yet."""
        self._saved_at = self.trainer.iter

    def before_step(self) -> None:
        """Save what is due between epochs; end the run where that was asked for."""
        done = self.trainer.iter
        is_due = self._period_iters > 0 and done % self._period_iters == 0
        if (is_due or self._termination.requested) and done != self._saved_at:
            # Nothing is saved before its last step is known to be sound.
            self.trainer.finish()
            self._checkpointer.save_rolling(epoch=self.trainer.epoch, **self._extra())
            self._saved_at = done
        self._termination.obey()

    def after_epoch(self) -> None:
        """Save what is due in the middle of a run."""
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


class PeriodicWriter(HookBase):
    """Let writers write what the event storage holds.

    Args:
        writers: of the screen, of files.
        period: iterations between writings.
    """

    def __init__(self, writers: Sequence[EventWriter], period: int) -> None:
        self._writers = tuple(writers)
        self._period = period

    def after_step(self) -> None:
        """Write where it is due."""
        if self.trainer.iter == 0 or (self.trainer.iter + 1) % self._period == 0:
            self._write()

    def after_epoch(self) -> None:
        """Write what an epoch's end brought, evaluations above all."""
        self._write()

    def after_train(self) -> None:
        """Write the rest and close the files."""
        self._write()
        for writer in self._writers:
            writer.close()

    def _write(self) -> None:
        for writer in self._writers:
            writer.write()


class TrainingCurves(HookBase):
    """Draw the curves of a finished run.

    Args:
        output_dir: holds metrics.json and gets training_curves.png.
    """

    def __init__(self, output_dir: Path) -> None:
        self._output_dir = output_dir

    def after_train(self) -> None:
        """Draw."""
        metrics = self._output_dir / "metrics.json"
        if self.trainer.finished and metrics.is_file():
            plot_training_curves(metrics, self._output_dir / "training_curves.png")
