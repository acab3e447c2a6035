"""The compiled parts of ACL's basic and meta steps, and the data that they share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from fastreid.layers import running_statistics
from fastreid.modeling import adaptor_parameters, meta_parameters

from .loss_scale import LossScale
from .results import GradientResult
from .statistics_watch import StatisticsWatch
from .train_step import GradientStep, JoinedCriteria, LossForward, batch_tensors
from .updates import InnerUpdate, Update, apply_update


class PhaseForwards(NamedTuple):
    """One model with the losses of each phase.

    Attributes:
        basic: with the losses of a basic step.
        meta_train: with the losses of the seen domains in a meta step.
        meta_test: with the losses of the held-out domain in a meta step.
    """

    basic: LossForward
    meta_train: LossForward
    meta_test: LossForward


class MetaSteps:
    """Gradients and updates of ACL's steps, each of them one call.

    Basic steps and the meta-train half of meta steps share one compiled graph, which computes the
    losses of both; weights select the losses that count. With three domains both have batches of
    one size, so the graph compiles once (docs/performance.md has the gain).

    Args:
        forwards: the model with its losses.
        optimizers: optimizers of basic steps, over disjoint parameters.
        meta_optimizer: SGD without momentum, over the same parameters in the same order.
        clipper: clips gradients before each update.
        adaptor_lr_factor: factor on the rate of the inner update for parameters of adaptors.
        loss_scale: loss scaling of mixed precision; None disables it.
        watch: checks the running statistics after basic steps; None creates one.
    """

    def __init__(
        self,
        forwards: PhaseForwards,
        *,
        optimizers: Sequence[nn.Cell],
        meta_optimizer: nn.Cell,
        clipper: nn.Cell,
        adaptor_lr_factor: float,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        model = forwards.basic.model
        self.meta_optimizer = meta_optimizer
        self.loss_names = forwards.meta_train.names + forwards.meta_test.names
        self.statistics = running_statistics(model)
        parameters = meta_optimizer.parameters
        scaled = {"loss_scale": loss_scale}
        watched = {**scaled, "watch": watch or StatisticsWatch(self.statistics)}
        self._set_up_gradients(forwards, scaled=scaled, watched=watched)
        self._basic_update = Update(optimizers, clipper, **watched)
        self._outer_update = Update([meta_optimizer], clipper, **scaled)
        meta_ids = {id(parameter) for parameter in meta_parameters(model)}
        adaptor_ids = {id(parameter) for parameter in adaptor_parameters(model)}
        self._is_inner = [id(parameter) in meta_ids for parameter in parameters]
        self.inner_parameters = list(compress(parameters, self._is_inner))
        self.inner_factors = [
            adaptor_lr_factor if id(parameter) in adaptor_ids else 1.0
            for parameter in self.inner_parameters
        ]
        self._inner_update = InnerUpdate(self.inner_parameters, self.inner_factors)

    def _set_up_gradients(self, forwards: PhaseForwards, *, scaled: dict, watched: dict) -> None:
        parameters = self.meta_optimizer.parameters
        model, num_basic = forwards.basic.model, len(forwards.basic.names)
        joined = JoinedCriteria([forwards.basic.criterion, forwards.meta_train.criterion])
        is_basic = np.arange(len(joined.names)) < num_basic
        self._basic_weights = Tensor(is_basic.astype(np.float32))
        self._meta_train_weights = Tensor((~is_basic).astype(np.float32))
        self._basic_losses, self._meta_train_losses = slice(num_basic), slice(num_basic, None)
        self._shared_gradients = GradientStep(LossForward(model, joined), parameters, **watched)
        self._meta_test_gradients = GradientStep(forwards.meta_test, parameters, **scaled)

    def basic_gradients(self, batch: dict[str, np.ndarray]) -> GradientResult:
        """Differentiate the losses of a basic step; running statistics change.

        Args:
            batch: a batch of all domains.
        """
        return self._differentiate(batch, self._basic_weights, self._basic_losses)

    def seen_gradients(self, batch: dict[str, np.ndarray]) -> GradientResult:
        """Differentiate the losses of the seen domains; running statistics change.

        Args:
            batch: a batch of the seen domains.
        """
        return self._differentiate(batch, self._meta_train_weights, self._meta_train_losses)

    def _differentiate(
        self, batch: dict[str, np.ndarray], weights: Tensor, losses: slice
    ) -> GradientResult:
        self._shared_gradients.set_train(True)
        result = GradientResult(*self._shared_gradients(*batch_tensors(batch), weights))
        return result._replace(losses=result.losses[losses])

    def held_out_gradients(self, batch: dict[str, np.ndarray]) -> GradientResult:
        """Differentiate the losses of the held-out domain.

        Args:
            batch: a batch of the held-out domain.
        """
        self._meta_test_gradients.set_train(True)
        return GradientResult(*self._meta_test_gradients(*batch_tensors(batch)))

    def basic_update(self, result: GradientResult) -> Tensor:
        """Update all parameters after a basic step.

        Args:
            result: result of `basic_gradients`; its gradients are freed.

        Returns:
            Whether the step was finite, a bool scalar.
        """
        return apply_update(self._basic_update, result)

    def inner_update(self, seen: GradientResult) -> None:
        """Change `inner_parameters` from theta to theta', at the rate of the meta optimizer.

        Args:
            seen: result of `seen_gradients`; if it is not finite, nothing changes.
        """
        rate = self.meta_optimizer.learning_rates[0].value()
        gradients = tuple(compress(seen.gradients, self._is_inner))
        self._inner_update(rate, seen.is_finite, ms.mutable(gradients))

    def outer_update(self, seen: GradientResult, held_out: GradientResult) -> Tensor:
        """Update all parameters by the sum of the gradients of both halves of a meta step.

        Args:
            seen: result of `seen_gradients`; its gradients are freed.
            held_out: result of `held_out_gradients`; its gradients are freed.

        Returns:
            Whether the step was finite, a bool scalar.
        """
        return apply_update(self._outer_update, seen, held_out)
