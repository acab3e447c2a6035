"""A basic step whose gradients are computed on parts of the batch, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.comm import get_world_size

from .device_memory import release
from .gradient_average import build_average
from .results import GradientResult
from .train_step import AllFinite, GradientStep, LossForward
from .updates import Update, apply_update

# Mapped over parameters: a loop over hundreds of them exceeds the depth of calls that compile.
_blend = ops.MultitypeFuncGraph("blend")


@_blend.register("Tensor", "Tensor", "Tensor")
def _blend_one(share: Tensor, mean: Tensor, value: Tensor) -> Tensor:
    return mean + (value - mean) * share


class _RunningMean(nn.Cell):
    """The mean of gradients, moved by one more of them."""

    def __init__(self) -> None:
        super().__init__()
        self.for_each = ops.HyperMap()

    def construct(
        self, share: Tensor, mean: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Return mean + (gradients - mean) * share, for a scalar share."""
        return self.for_each(ops.partial(_blend, share), mean, gradients)


class _ProcessMean(nn.Cell):
    """The means over all processes of results that each has accumulated.

    Args:
        parameters: the parameters that the gradients belong to.
        num_losses: number of losses of the step.
    """

    def __init__(self, parameters: Sequence[Parameter], num_losses: int) -> None:
        super().__init__(auto_prefix=False)
        self.average = build_average(parameters, num_losses)
        self.all_finite = AllFinite()

    def construct(
        self, losses: Tensor, accuracy: Tensor, is_finite: Tensor, gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """Average the fields of a `GradientResult`; it is finite if it is so on all processes."""
        broken = 1.0 - is_finite.astype(ms.float32)
        broken, losses, accuracy, gradients = self.average(broken, losses, accuracy, gradients)
        finite = ops.logical_and(broken == 0, self.all_finite(broken, gradients))
        return losses, accuracy, finite, gradients


class AccumulatedStep:
    """A `TrainStep` in the memory of a part of the batch.

    With several processes, the gradients are averaged over them once an update.

    The gradients are means over the parts. For losses that are means over rows, of a model without
    batch statistics, they are those of the whole batch. Batch norms see one part at a time, and
    metric losses compare the images of one part.

    Args:
        forward: the model with its losses.
        optimizers: optimizers of disjoint parameters.
        clipper: clips the mean gradients.
        parts: number of parts, which divides the number of rows.
        **shared: loss_scale and watch, as in `TrainStep`.
    """

    def __init__(
        self,
        forward: LossForward,
        optimizers: Sequence[nn.Cell],
        clipper: nn.Cell,
        *,
        parts: int,
        **shared: Any,
    ) -> None:
        parameters: list[Parameter] = [p for each in optimizers for p in each.parameters]
        self.parts = parts
        self._differentiate = GradientStep(forward, parameters, averages=False, **shared)
        self._process_mean: _ProcessMean | None = None
        if get_world_size() > 1:
            self._process_mean = _ProcessMean(parameters, len(forward.names))
        self._update = Update(optimizers, clipper, **shared)
        self._mean = _RunningMean()

    def set_train(self, mode: bool = True) -> AccumulatedStep:
        """Set the mode of the model, as `Cell.set_train` does."""
        self._differentiate.set_train(mode)
        return self

    def __call__(
        self, images: Tensor, targets: Tensor, domainids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take a step on a batch; arguments and results are those of `TrainStep`."""
        rows = len(targets) // self.parts
        parts = [
            tuple(column[first : first + rows] for column in (images, targets, domainids))
            for first in range(0, rows * self.parts, rows)
        ]
        mean = GradientResult(*self._differentiate(*parts[0]))
        for count, part in enumerate(parts[1:], start=1):
            mean = self._add(mean, GradientResult(*self._differentiate(*part)), count)
        if self._process_mean is not None:
            own = mean.gradients
            mean = GradientResult(*self._process_mean(*mean[:3], ms.mutable(own)))
            release(own)
        return mean.losses, mean.accuracy, apply_update(self._update, mean)

    def _add(self, mean: GradientResult, result: GradientResult, count: int) -> GradientResult:
        """Add the result of one more part to the means over `count` parts."""
        share = Tensor(1 / (count + 1), ms.float32)
        # Tuples that are not mutable become constants of the compiled graph.
        gradients = self._mean(share, ms.mutable(mean.gradients), ms.mutable(result.gradients))
        release((*mean.gradients, *result.gradients))
        return GradientResult(
            mean.losses + (result.losses - mean.losses) * share,
            mean.accuracy + (result.accuracy - mean.accuracy) * share,
            ops.logical_and(mean.is_finite, result.is_finite),
            gradients,
        )
