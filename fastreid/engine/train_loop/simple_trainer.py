"""The trainer of ordinary models: one batch and one optimizer step an iteration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from mindspore import nn

from fastreid.layers import running_statistics
from fastreid.utils.checkpoint import Checkpointable
from fastreid.utils.comm import get_rank, get_world_size
from fastreid.utils.events import get_event_storage

from ..steps.accumulation import AccumulatedStep
from ..steps.loss_scale import LossScale
from ..steps.non_finite import NonFiniteError
from ..steps.results import StepRecord, StepResult
from ..steps.statistics_watch import StatisticsWatch, not_finite
from ..steps.train_step import LossForward, TrainStep, batch_tensors
from .base import TrainerBase


class SimpleTrainer(TrainerBase):
    """Train one model on one data loader, one step an iteration.

    Args:
        model: the model to train.
        data_loader: endless iterable of batches.
        forward: the model with its losses.
        optimizers: one optimizer, or one for the parts that learn from the start and one for the
            parts that are frozen at first.
        clipper: clips gradients before each update.
        log_period: number of iterations between readings of the losses.
        frozen_parts: names of the parts that stay in evaluation mode at first.
        freeze_iters: number of iterations in which only the first optimizer makes updates, and the
            frozen parts stay in evaluation mode.
        accumulate: number of parts of a batch whose gradients are computed one after the other.
        loss_scale: loss scaling of mixed precision; None disables it.
        watch: checks the running statistics of the model; None creates one.
    """

    def __init__(
        self,
        model: nn.Cell,
        data_loader: Iterable[dict],
        *,
        forward: LossForward,
        optimizers: Sequence[nn.Cell],
        clipper: nn.Cell,
        log_period: int,
        frozen_parts: Sequence[str] = (),
        freeze_iters: int = 0,
        accumulate: int = 1,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.data_loader = data_loader
        self.forward = forward
        self.optimizers = tuple(optimizers)
        self.log_period = log_period
        self.frozen_parts = tuple(frozen_parts)
        self.freeze_iters = freeze_iters
        self.loss_scale = loss_scale or LossScale()
        self.watch = watch or StatisticsWatch(running_statistics(model))
        # Cells that draw random numbers by the number of training passes before.
        self._drawing = [c for _, c in model.cells_and_names() if hasattr(c, "continue_after")]
        self._passes_per_iteration = accumulate
        self._batches: Iterator[dict] | None = None
        self._pending: StepRecord | None = None
        shared: dict[str, Any] = {"loss_scale": self.loss_scale, "watch": self.watch}
        make_step = partial(_step_in_parts(accumulate), clipper=clipper, **shared)
        self._step = self._frozen_step = make_step(forward, optimizers)
        if self.freeze_iters:
            # Each set of learning parameters needs a compiled graph of its own.
            self._frozen_step = make_step(forward, optimizers[:1])

    @property
    def named_optimizers(self) -> dict[str, nn.Cell]:
        """All optimizers of this trainer, by the names that they have in checkpoints."""
        return dict(zip(("optimizer", "optimizer_frozen"), self.optimizers))

    @property
    def checkpointables(self) -> dict[str, Checkpointable]:
        """The objects whose states a resumed run needs, by their names in checkpoints."""
        states: dict[str, Checkpointable] = dict(self.named_optimizers)
        if self.loss_scale.enabled:
            states["loss_scale"] = self.loss_scale
        return states

    def run_step(self) -> None:
        """Train on one batch."""
        self.basic_step()

    def basic_step(self) -> None:
        """Take the next batch and make one optimizer step on it."""
        if self._batches is None:
            self.watch.remember()
            self._batches = iter(self.data_loader)
        start = time.perf_counter()
        batch = next(self._batches)
        data_time = time.perf_counter() - start
        losses, accuracy, is_finite = self._take_step(batch)
        record = StepRecord(
            self.iter, "basic", self.forward.names, (losses,), is_finite, batch["img_paths"]
        )
        self._add_record(record)
        get_event_storage().put_scalar("data_time", data_time)
        if self.is_log_iteration():
            self.write_losses("", record)
            get_event_storage().put_scalar(
                "cls_accuracy", float(accuracy.asnumpy()), smoothing_hint=False
            )

    def is_log_iteration(self) -> bool:
        """Tell whether this iteration's losses are read from the device."""
        return self.iter == 0 or (self.iter + 1) % self.log_period == 0

    def write_losses(self, prefix: str, record: StepRecord) -> None:
        """Read the losses of a step and put them into the event storage.

        Args:
            prefix: text before the names of the losses; "" for a basic step.
            record: the step.
        """
        terms = record.terms()
        terms["total_loss"] = sum(terms.values())
        # There is one reading in a log period: a median over several would mix old values in.
        named = {prefix + name: value for name, value in terms.items()}
        get_event_storage().put_scalars(smoothing_hint=False, **named)

    def finish(self) -> None:
        """Check the last step, which no later step has checked, and the weights after it.

        Raises:
            NonFiniteError: the step, or a weight after it, is not finite.
        """
        last = self._pending
        self._check_pending()
        if last is None:
            return
        names = not_finite(list(self.model.get_parameters()))
        if names:
            raise self._error(last, parameters=names)

    def _take_step(self, batch: dict[str, np.ndarray]) -> StepResult:
        """Make one optimizer step on a batch."""
        frozen = self.iter < self.freeze_iters
        step = self._frozen_step if frozen else self._step
        step.set_train(True)
        if frozen:
            for name in self.frozen_parts:
                getattr(self.model, name).set_train(False)
        for cell in self._drawing:
            cell.continue_after(self.iter * self._passes_per_iteration)
        return StepResult(*step(*batch_tensors(batch)))

    def _add_record(self, record: StepRecord) -> None:
        """Check the step before this one, and keep this one until the next step."""
        self._check_pending()
        self._pending = record

    def _check_pending(self) -> None:
        # The flag is read one step late, so that the device does not wait for Python.
        record, self._pending = self._pending, None
        if record is None or bool(record.is_finite.asnumpy()):
            return
        names = not_finite(self.watch.statistics)
        self.watch.restore()
        raise self._error(record, statistics=names)

    def _error(self, record: StepRecord, **names: list[str]) -> NonFiniteError:
        return NonFiniteError(
            record.kind,
            record.iteration,
            terms=record.terms(),
            learning_rate=_logged_rate(record.iteration),
            img_paths=record.img_paths,
            rank=get_rank() if get_world_size() > 1 else None,
            **names,
        )


def _step_in_parts(parts: int) -> Callable[..., TrainStep | AccumulatedStep]:
    """Return what builds the step that computes the gradients of a batch in so many parts."""
    return TrainStep if parts == 1 else partial(AccumulatedStep, parts=parts)


def _logged_rate(iteration: int) -> float | None:
    """Look up the learning rate of a recent iteration in the event storage."""
    try:
        history = get_event_storage().history("lr")
    except KeyError:
        return None
    return {at: rate for rate, at in history.values()}.get(iteration)
