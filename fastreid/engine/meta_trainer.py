"""ACL's trainer: basic steps on all source domains, and meta steps that hold one domain out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from mindspore import nn

from fastreid.data import held_out_domain
from fastreid.layers import held_statistics
from fastreid.utils.events import get_event_storage
from fastreid.utils.parameters import restored

from .steps.meta_steps import MetaSteps
from .steps.results import GradientResult, MetaGradients, StepRecord, StepResult
from .train_loop import SimpleTrainer


class MetaTrainer(SimpleTrainer):
    """Basic and meta steps of ACL (ECCV 2022, section 3.4; upstream ``train_loop.py``).

    Args:
        model: an `ACL` model.
        data_loader: endless iterable of batches of all domains.
        domain_loaders: for each source domain, an endless iterable of its batches.
        meta_steps: the compiled gradients and updates.
        period: number of iterations from one meta step to the next; 0 means no meta steps.
        first_basic_steps: number of basic steps in the first iteration of the run.
        seed: decides which domain is held out.
        **options: further arguments of `SimpleTrainer`.
    """

    def __init__(
        self,
        model: nn.Cell,
        data_loader: Iterable[dict],
        *,
        domain_loaders: Sequence[Iterable[dict]],
        meta_steps: MetaSteps,
        period: int,
        first_basic_steps: int,
        seed: int,
        **options: Any,
    ) -> None:
        super().__init__(model, data_loader, **options)
        self.domain_loaders = tuple(domain_loaders)
        self.meta_steps = meta_steps
        self._period = period
        self._first_basic_steps = first_basic_steps
        self._seed = seed
        self._domain_batches: list[Iterator[dict]] | None = None

    @property
    def meta_optimizer(self) -> nn.Cell:
        """The optimizer of meta steps."""
        return self.meta_steps.meta_optimizer

    @property
    def named_optimizers(self) -> dict[str, nn.Cell]:
        """All optimizers of this trainer, by the names that they have in checkpoints."""
        return {**super().named_optimizers, "meta_optimizer": self.meta_optimizer}

    def run_step(self) -> None:
        """Take the basic steps of an iteration, then its meta step, if it has one."""
        for _ in range(self._first_basic_steps if self.iter == 0 else 1):
            self.basic_step()
        if self._period and self.iter % self._period == 0:
            self.meta_step(self.held_out_domain(self.iter))

    def meta_step(self, held_out: int) -> None:
        """Take one meta step on the next batch of each domain.

        Args:
            held_out: index of the meta-test domain; the other domains are the seen ones.
        """
        start = time.perf_counter()
        seen_batch, held_out_batch = self._next_domain_batches(held_out)
        data_time = time.perf_counter() - start
        record = self.meta_update(seen_batch, held_out_batch)
        self._add_record(record)
        get_event_storage().put_scalar("meta_data_time", data_time)
        if self._crossed_log_period():
            self.write_losses("meta_", record)

    def meta_update(
        self, seen_batch: dict[str, np.ndarray], held_out_batch: dict[str, np.ndarray]
    ) -> StepRecord:
        """Update the model so that a step on the seen domains helps on the held-out one.

        Args:
            seen_batch: a batch of the meta-train domains.
            held_out_batch: a batch of the meta-test domain.

        Returns:
            The losses of the step, still on the device.
        """
        seen, held_out = self.meta_gradients(seen_batch, held_out_batch)
        is_finite = self.meta_steps.outer_update(seen, held_out)
        losses = (seen.losses, held_out.losses)
        paths = np.concatenate([seen_batch["img_paths"], held_out_batch["img_paths"]])
        return StepRecord(self.iter, "meta", self.meta_steps.loss_names, losses, is_finite, paths)

    def meta_gradients(
        self, seen_batch: dict[str, np.ndarray], held_out_batch: dict[str, np.ndarray]
    ) -> MetaGradients:
        """Differentiate on the seen domains at theta and on the held-out domain at theta'.

        This is first-order MAML: theta' = theta - rate * gradient on the seen domains, and the
        gradient of the meta step is the sum of both gradients. Both blocks restore what they
        change, so weights and running statistics are the same afterwards.

        Args:
            seen_batch: a batch of the meta-train domains.
            held_out_batch: a batch of the meta-test domain.

        Returns:
            The results of both, with gradients in the order of the meta optimizer's parameters.
        """
        steps = self.meta_steps
        with restored(steps.statistics):
            seen = steps.seen_gradients(seen_batch)
        with restored(steps.inner_parameters), held_statistics(self.model):
            # From theta to theta'; the end of the block restores theta.
            steps.inner_update(seen)
            held_out = steps.held_out_gradients(held_out_batch)
        return MetaGradients(seen, held_out)

    def basic_gradients(self, batch: dict[str, np.ndarray]) -> GradientResult:
        """Differentiate the losses of a basic step; running statistics change.

        Args:
            batch: a batch of all domains.

        Returns:
            The result, with gradients in the order of the optimizers' parameters.
        """
        return self.meta_steps.basic_gradients(batch)

    def held_out_domain(self, iteration: int) -> int:
        """Draw the meta-test domain of an iteration; it depends on the seed and the iteration."""
        return held_out_domain(self._seed, iteration, len(self.domain_loaders))

    def _take_step(self, batch: dict[str, np.ndarray]) -> StepResult:
        if not self._period:
            return super()._take_step(batch)
        result = self.basic_gradients(batch)
        is_finite = self.meta_steps.basic_update(result)
        return StepResult(result.losses, result.accuracy, is_finite)

    def _next_domain_batches(
        self, held_out: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Take the next batch of each domain: those of the seen domains joined, and the other."""
        if self._domain_batches is None:
            self._domain_batches = [iter(loader) for loader in self.domain_loaders]
        batches = [next(stream) for stream in self._domain_batches]
        seen = [batch for domain, batch in enumerate(batches) if domain != held_out]
        return concatenate(seen), batches[held_out]

    def _crossed_log_period(self) -> bool:
        """Tell whether a log period began since the last meta step."""
        before = (self.iter - self._period) // self.log_period
        return self.iter == 0 or self.iter // self.log_period != before


def concatenate(batches: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate batches, column by column; batches without rows are left out."""
    batches = [batch for batch in batches if len(batch["targets"])]
    return {column: np.concatenate([b[column] for b in batches]) for column in batches[0]}
