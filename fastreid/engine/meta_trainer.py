"""ACL's trainer: basic steps on mixed batches, and meta steps that hold one domain out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from fastreid.data import held_out_domain
from fastreid.layers import held_statistics, running_statistics
from fastreid.modeling import adaptor_parameters, meta_parameters
from fastreid.utils.events import get_event_storage
from fastreid.utils.parameters import restored

from .steps.device_memory import release
from .steps.train_step import GradientStep, JoinedCriteria, LossForward
from .steps.updates import InnerUpdate, Update
from .train_loop import SimpleTrainer, StepRecord, batch_tensors


class MetaTrainer(SimpleTrainer):
    """Basic and meta steps of ACL (ECCV 2022, section 3.4; upstream ``train_loop.py``).

    Where there are meta steps, basic steps and the first half of meta steps share one graph, which
    computes the losses of both; weights decide which of them count. Of three domains both have
    batches of one size, and the longest part of compiling happens twice instead of three times.

    Args:
        model: an `ACL`.
        data_loader: gives mixed batches without end.
        domain_loaders: one per source domain, each gives batches of that domain without end.
        forward: the model with the losses of a basic step.
        meta_train_forward: the model with the losses of the seen domains.
        meta_test_forward: the model with the losses of the held-out domain.
        optimizers: one, of basic steps.
        meta_optimizer: SGD without momentum, over the same parameters in the same order.
        clipper: clips gradients.
        log_period: iterations between readings of the losses.
        period: iterations from one meta step to the next; 0: none.
        first_basic_steps: basic steps in the first iteration of the run.
        adaptor_lr_factor: of the inner rate for parameters of adaptors.
        seed: decides which domain is held out.
        **options: of `SimpleTrainer`.
    """

    def __init__(
        self,
        model: nn.Cell,
        data_loader: Iterable[dict],
        *,
        domain_loaders: Sequence[Iterable[dict]],
        forward: LossForward,
        meta_train_forward: LossForward,
        meta_test_forward: LossForward,
        optimizers: Sequence[nn.Cell],
        meta_optimizer: nn.Cell,
        clipper: nn.Cell,
        log_period: int,
        period: int,
        first_basic_steps: int,
        adaptor_lr_factor: float,
        seed: int,
        **options: Any,
    ) -> None:
        super().__init__(
            model,
            data_loader,
            forward=forward,
            optimizers=optimizers,
            clipper=clipper,
            log_period=log_period,
            **options,
        )
        self.domain_loaders = tuple(domain_loaders)
        self.meta_optimizer = meta_optimizer
        self._period = period
        self._first_basic_steps = first_basic_steps
        self._seed = seed
        self._domain_batches = None
        self._parameters = meta_optimizer.parameters
        self._statistics = running_statistics(model)
        self._names = meta_train_forward.names + meta_test_forward.names
        scaled = {"loss_scale": self.loss_scale}
        joined = JoinedCriteria([forward.criterion, meta_train_forward.criterion])
        watched = {**scaled, "watch": self._watch}
        self._differentiate = GradientStep(LossForward(model, joined), self._parameters, **watched)
        self._num_basic = len(forward.names)
        is_basic = np.arange(len(joined.names)) < self._num_basic
        self._basic_weights = Tensor(is_basic.astype(np.float32))
        self._meta_train_weights = Tensor((~is_basic).astype(np.float32))
        self._basic_update = Update(optimizers, clipper, **watched)
        self._meta_test = GradientStep(meta_test_forward, self._parameters, **scaled)
        movable = {id(parameter) for parameter in meta_parameters(model)}
        self._moves = [id(parameter) in movable for parameter in self._parameters]
        self._moved = list(compress(self._parameters, self._moves))
        adaptors = {id(parameter) for parameter in adaptor_parameters(model)}
        self._inner_update = InnerUpdate(
            self._moved, [adaptor_lr_factor if id(p) in adaptors else 1.0 for p in self._moved]
        )
        self._outer_update = Update([meta_optimizer], clipper, **scaled)

    def run_step(self) -> None:
        """Take the basic steps of an iteration, then its meta step, if it has one."""
        for _ in range(self._first_basic_steps if self.iter == 0 else 1):
            self.basic_step()
        if self._period and self.iter % self._period == 0:
            self.meta_step(self.held_out_domain(self.iter))

    def basic_gradients(
        self, batch: dict[str, np.ndarray]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor]:
        """Differentiate the losses of a basic step; running statistics move.

        Args:
            batch: a mixed one.

        Returns:
            What `GradientStep` gives, with the losses of basic steps only; gradients are in the
            order of the optimizers' parameters.
        """
        self._differentiate.set_train(True)
        losses, *others = self._differentiate(*batch_tensors(batch), self._basic_weights)
        return (losses[: self._num_basic], *others)

    def _take_step(self, batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
        if not self._period:
            return super()._take_step(batch)
        losses, finite, gradients, accuracy = self.basic_gradients(batch)
        sound = self._basic_update(
            ms.mutable((gradients,)), ms.mutable((losses,)), ms.mutable((finite,))
        )
        release(gradients)
        return losses, accuracy, sound

    def held_out_domain(self, iteration: int) -> int:
        """Draw the meta-test domain of an iteration: a function of the seed and the iteration."""
        return held_out_domain(self._seed, iteration, len(self.domain_loaders))

    def meta_step(self, held_out: int) -> None:
        """Take one meta step.

        Args:
            held_out: index of the meta-test domain; every domain's loader advances by one batch.
        """
        if self._domain_batches is None:
            self._domain_batches = [iter(loader) for loader in self.domain_loaders]
        start = time.perf_counter()
        batches = [next(stream) for stream in self._domain_batches]
        data_time = time.perf_counter() - start
        seen = concatenate([b for domain, b in enumerate(batches) if domain != held_out])
        record = self.meta_update(seen, batches[held_out])
        self._check_pending()
        self._pending = record
        get_event_storage().put_scalar("meta_data_time", data_time)
        if self._crossed_log_period():
            self.write_losses("meta_", record)

    def _crossed_log_period(self) -> bool:
        """Tell whether a log period began since the meta step before."""
        before = (self.iter - self._period) // self.log_period
        return self.iter == 0 or self.iter // self.log_period != before

    def meta_update(
        self, seen: dict[str, np.ndarray], held_out: dict[str, np.ndarray]
    ) -> StepRecord:
        """Learn on seen domains so that a step there helps on the held-out one (first order).

        Args:
            seen: a batch of the meta-train domains.
            held_out: a batch of the meta-test domain.

        Returns:
            The step's losses, still on the device.
        """
        record, inner, outer = self.meta_gradients(seen, held_out)
        sound = self._outer_update(
            ms.mutable((inner, outer)), ms.mutable(record.losses), ms.mutable(record.sound)
        )
        release(inner + outer)
        return record._replace(sound=(sound,))

    def meta_gradients(
        self, seen: dict[str, np.ndarray], held_out: dict[str, np.ndarray]
    ) -> tuple[StepRecord, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Compute what a meta step adds up, and leave the model as it was.

        Args:
            seen: a batch of the meta-train domains.
            held_out: a batch of the meta-test domain.

        Returns:
            The step's losses, with the finite flags of both phases; the gradients on the seen
            domains; those on the held-out domain after the inner step. Both in the order of the
            meta optimizer's parameters.
        """
        rate = self.meta_optimizer.learning_rates[0].value()
        self._differentiate.set_train(True)
        self._meta_test.set_train(True)
        with restored(self._statistics):
            seen_losses, seen_finite, inner, _ = self._differentiate(
                *batch_tensors(seen), self._meta_train_weights
            )
        seen_losses = seen_losses[self._num_basic :]
        with restored(self._moved), held_statistics(self.model):
            gradients = tuple(compress(inner, self._moves))
            self._inner_update(ms.mutable(gradients), rate, seen_finite)
            held_losses, held_finite, outer, _ = self._meta_test(*batch_tensors(held_out))
        paths = np.concatenate([seen["img_paths"], held_out["img_paths"]])
        record = StepRecord(
            self.iter,
            "meta",
            self._names,
            (seen_losses, held_losses),
            (seen_finite, held_finite),
            paths,
        )
        return record, inner, outer


def concatenate(batches: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join batches row by row, column by column, in the given order; some may be empty."""
    batches = [batch for batch in batches if len(batch["targets"])]
    return {column: np.concatenate([b[column] for b in batches]) for column in batches[0]}
