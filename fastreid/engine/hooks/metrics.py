"""Hooks that measure time and memory, write metrics, and draw their curves."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from fastreid.utils.events import EventWriter, max_memory_gb
from fastreid.utils.visualizer import plot_training_curves

from ..train_loop import HookBase

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)


class IterationTimer(HookBase):
    """Put the seconds of each iteration and the largest memory so far into the event storage.

    Args:
        warmup_iter: iterations at the start of the run that are not timed. The first one compiles,
            and its time would spoil the estimate of the time left.
    """

    def __init__(self, warmup_iter: int = 1) -> None:
        self._warmup_iter = warmup_iter

    def before_step(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def after_step(self) -> None:
        """Put the time of the iteration and the memory."""
        if self.trainer.iter >= self._first_iter + self._warmup_iter:
            self.trainer.storage.put_scalar("time", time.perf_counter() - self._start)
        self.trainer.storage.put_scalar("max_mem_gb", max_memory_gb(), smoothing_hint=False)

    def before_train(self) -> None:
        """Keep the number and the time of the first iteration."""
        self._first_iter = self.trainer.iter
        self._began = time.perf_counter()

    def after_train(self) -> None:
        """Log the time of the whole run."""
        done = self.trainer.iter - self._first_iter
        logger.info("%d iterations in %.1f s", done, time.perf_counter() - self._began)


class PeriodicWriter(HookBase):
    """Call writers in the first iteration, every `period` iterations and after each epoch.

    Args:
        writers: each writes the new metrics to one place.
        period: iterations from one call to the next.
    """

    def __init__(self, writers: Sequence[EventWriter], period: int = 20) -> None:
        self._writers = tuple(writers)
        self._period = period

    def after_step(self) -> None:
        """Write if the period is over."""
        if self.trainer.iter == 0 or (self.trainer.iter + 1) % self._period == 0:
            self._write()

    def after_epoch(self) -> None:
        """Write the scores of an evaluation after this epoch."""
        self._write()

    def after_train(self) -> None:
        """Write the last metrics and close the files."""
        self._write()
        for writer in self._writers:
            writer.close()

    def _write(self) -> None:
        for writer in self._writers:
            writer.write()


class TrainingCurves(HookBase):
    """Draw training_curves.png after a run that reached its end.

    Args:
        output_dir: folder of metrics.json, and of the picture.
    """

    def __init__(self, output_dir: Path) -> None:
        self._output_dir = output_dir

    def after_train(self) -> None:
        """Draw."""
        metrics = self._output_dir / "metrics.json"
        if self.trainer.finished and metrics.is_file():
            plot_training_curves(metrics, self._output_dir / "training_curves.png")
