"""The training loop: iterations, epochs, hooks, and the plain trainer."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from mindspore import Tensor, nn

from fastreid.layers import running_statistics
from fastreid.utils.comm import get_rank, get_world_size
from fastreid.utils.events import EventStorage, get_event_storage

from .launch.termination import Termination
from .steps.loss_scale import LossScale
from .steps.non_finite import NonFiniteError
from .steps.statistics_watch import StatisticsWatch, not_finite
from .steps.train_step import LossForward, TrainStep

logger = logging.getLogger(__name__)


class HookBase:
    """Something to do at fixed points of a training run; subclass it and override what you need.

    `trainer` is set when the hook is registered. The order of calls is before_train, then for each
    epoch before_epoch, for each iteration before_step and after_step, then after_epoch; at the end
    after_train.
    """

    trainer: TrainerBase

    def before_train(self) -> None:
        """Run once, before the first iteration."""

    def after_train(self) -> None:
        """Run once, after the last iteration, also when the run ends by an error."""

    def before_epoch(self) -> None:
        """Run before the first iteration of each epoch."""

    def after_epoch(self) -> None:
        """Run after the last iteration of each epoch; `trainer.iter` counts it already."""

    def before_step(self) -> None:
        """Run before each iteration."""

    def after_step(self) -> None:
        """Run after each iteration; `trainer.iter` is still its number."""


class TrainerBase:
    """Iterate `run_step` over epochs and call hooks.

    Attributes:
        iter: iterations done, counted over the whole run.
        max_iter: where the run ends.
        epoch: epochs done.
        finished: whether the last iteration was reached without an error.
        evaluation_due: whether the evaluation at this point of the run is still to be done, or to
            be done again.
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
        """Add hooks, called in this order."""
        for hook in hooks:
            hook.trainer = self
            self._hooks.append(hook)

    def train(self, start_iter: int, max_iter: int, iters_per_epoch: int) -> None:
        """Run from one iteration to another.

        Args:
            start_iter: iterations done before, 0 in a fresh run.
            max_iter: where to stop; in the middle of an epoch, if need be.
            iters_per_epoch: iterations in an epoch.
        """
        logger.info("Starting training from iteration %d", start_iter)
        self.iter = start_iter
        self.max_iter = max_iter
        self.finished = False
        with EventStorage(start_iter) as self.storage:
            try:
                self._call("before_train")
                if self.evaluation_due and start_iter and start_iter % iters_per_epoch == 0:
                    # The run before broke off after an epoch, in the midst of these.
                    self.epoch = self.storage.epoch = start_iter // iters_per_epoch - 1
                    self._call("after_epoch")
                while self.iter < max_iter:
                    self._run_iteration(iters_per_epoch)
                self.finished = True
            finally:
                self._call("after_train")

    def _run_iteration(self, iters_per_epoch: int) -> None:
        self.epoch = self.iter // iters_per_epoch
        self.storage.epoch = self.epoch
        self.storage.iter = self.iter
        if self.iter % iters_per_epoch == 0:
            self._call("before_epoch")
        self._call("before_step")
        self.run_step()
        self._call("after_step")
        self.iter += 1
        ends_epoch = self.iter % iters_per_epoch == 0
        if ends_epoch or self.iter == self.max_iter:
            # Before anything is evaluated or saved.
            self.finish()
            self.finished = self.iter == self.max_iter
        if ends_epoch:
            self._call("after_epoch")

    def _call(self, point: str) -> None:
        # Every hook runs even where another fails: a failed evaluation must not cost a checkpoint.
        with ExitStack() as stack:
            for hook in reversed(self._hooks):
                stack.callback(getattr(hook, point))

    def run_step(self) -> None:
        """Train for one iteration."""
        raise NotImplementedError

    def finish(self) -> None:
        """Check what steps left unchecked; called at the end of each epoch and of the run."""

    def checkpoint_extra(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside weights and states."""
        return {"iteration": self.iter}


class StepRecord(NamedTuple):
    """What a step left on the device, to be read when it is needed."""

    iteration: int
    kind: str
    names: tuple[str, ...]
    losses: Sequence[Tensor]
    sound: Sequence[Tensor]
    img_paths: np.ndarray

    def terms(self) -> dict[str, float]:
        """Read the losses: name -> value, summed over the phases of the step that have it."""
        values = np.concatenate([losses.asnumpy().reshape(-1) for losses in self.losses])
        sums: dict[str, float] = {}
        for name, value in zip(self.names, values):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums


class SimpleTrainer(TrainerBase):
    """One model, one data loader, one step an iteration.

    Args:
        model: the model.
        data_loader: gives batches without end.
        forward: the model with its losses.
        optimizers: each moves its own parameters.
        clipper: clips gradients.
        log_period: iterations between readings of the losses.
        frozen_parts: names of parts that stay in evaluation mode and do not learn at first; the
            second of two optimizers is theirs.
        freeze_iters: for how many iterations.
        loss_scale: of mixed precision.
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
        loss_scale: LossScale | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.data_loader = data_loader
        self.forward = forward
        self.optimizers = tuple(optimizers)
        self.log_period = log_period
        self.frozen_parts = tuple(frozen_parts)
        self.freeze_iters = freeze_iters if frozen_parts else 0
        self._batches = None
        self._pending: StepRecord | None = None
        self.loss_scale = loss_scale or LossScale()
        self._watch = StatisticsWatch(running_statistics(model))
        shared = {"loss_scale": self.loss_scale, "watch": self._watch}
        self._step = TrainStep(forward, optimizers, clipper, **shared)
        # Another set of moving parameters is another graph.
        self._frozen_step = (
            TrainStep(forward, optimizers[:1], clipper, **shared) if self.freeze_iters else None
        )

    def run_step(self) -> None:
        """Train on one batch."""
        self.basic_step()

    def basic_step(self) -> None:
        """Take one batch of the mixed loader and one optimizer step."""
        if self._batches is None:
            self._watch.remember()
            self._batches = iter(self.data_loader)
        start = time.perf_counter()
        batch = next(self._batches)
        data_time = time.perf_counter() - start
        losses, accuracy, sound = self._take_step(batch)
        self._check_pending()
        self._pending = StepRecord(
            self.iter, "basic", self.forward.names, (losses,), (sound,), batch["img_paths"]
        )
        get_event_storage().put_scalar("data_time", data_time)
        if self.is_log_iteration():
            self.write_losses("", self._pending)
            get_event_storage().put_scalar(
                "cls_accuracy", float(accuracy.asnumpy()), smoothing_hint=False
            )

    def is_log_iteration(self) -> bool:
        """Tell whether this iteration's losses are read from the device."""
        return self.iter == 0 or (self.iter + 1) % self.log_period == 0

    def write_losses(self, prefix: str, record: StepRecord) -> None:
        """Read a step's losses and put them into the event storage.

        Args:
            prefix: before the names, "" for a basic step.
            record: the step.
        """
        terms = record.terms()
        terms["total_loss"] = sum(terms.values())
        # Read once in a log period: a median over many readings would be old news.
        named = {prefix + name: value for name, value in terms.items()}
        get_event_storage().put_scalars(smoothing_hint=False, **named)

    def finish(self) -> None:
        """Check the last step, whose outcome nobody has read yet, and what it made of the model.

        Raises:
            NonFiniteError: the step, or a weight after it, is not finite.
        """
        last = self._pending
        self._check_pending()
        if last is None:
            return
        spoiled = not_finite(list(self.model.get_parameters()))
        if spoiled:
            raise self._error(last, parameters=spoiled)

    def _take_step(self, batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
        """Learn from a batch: losses in the order of `forward.names`, accuracy, sound or not."""
        frozen = self.iter < self.freeze_iters
        step = self._frozen_step if frozen else self._step
        step.set_train(True)
        if frozen:
            for name in self.frozen_parts:
                getattr(self.model, name).set_train(False)
        return step(*batch_tensors(batch))

    def _check_pending(self) -> None:
        """Read the last step's flag: one step late, so that the device is not kept waiting."""
        record, self._pending = self._pending, None
        if record is None or all(bool(flag.asnumpy()) for flag in record.sound):
            return
        spoiled = not_finite(self._watch.statistics)
        self._watch.restore()
        raise self._error(record, statistics=spoiled)

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


def _logged_rate(iteration: int) -> float | None:
    """Look up the learning rate of an iteration of late."""
    try:
        history = get_event_storage().history("lr")
    except KeyError:
        return None
    return {at: rate for rate, at in history.values()}.get(iteration)


def batch_tensors(batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
    """Move a batch to the device.

    Args:
        batch: with images (N, 3, H, W) float32, targets (N,) int32, domainids (N,) int32.

    Returns:
        The three, in that order.
    """
    return Tensor(batch["images"]), Tensor(batch["targets"]), Tensor(batch["domainids"])
