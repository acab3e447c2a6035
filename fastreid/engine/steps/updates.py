"""The compiled updates of a training step."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from .device_memory import release
from .loss_scale import LossScale
from .results import GradientResult
from .statistics_watch import StatisticsWatch

# These functions are mapped over the parameters: a loop over hundreds of them exceeds the depth of
# calls that MindSpore compiles.
_descend = ops.MultitypeFuncGraph("descend")
_sum = ops.MultitypeFuncGraph("sum")


@_descend.register("Tensor", "Tensor", "Tensor", "Tensor")
def _descend_one(rate: Tensor, gradient: Tensor, parameter: Parameter, factor: Tensor) -> Tensor:
    return ops.assign_sub(parameter, gradient * (rate * factor))


@_sum.register("Tensor", "Tensor")
def _sum_one(first: Tensor, second: Tensor) -> Tensor:
    return first + second


class Update(nn.Cell):
    """Update by the sum of the gradients of one or several phases, if all of them are finite.

    Args:
        optimizers: optimizers of disjoint parameters.
        clipper: clips the summed gradients.
        loss_scale: loss scaling of mixed precision; None disables it.
        watch: copies the running statistics of each finite step; None copies nothing.
    """

    def __init__(
        self,
        optimizers: Sequence[nn.Cell],
        clipper: nn.Cell,
        *,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.watch = watch or StatisticsWatch(())
        self.optimizers = nn.CellList(optimizers, auto_prefix=False)
        self.clipper = clipper
        self.loss_scale = loss_scale or LossScale()
        self.for_each = ops.HyperMap()
        counts = [len(optimizer.parameters) for optimizer in optimizers]
        self.slices = [(sum(counts[:i]), sum(counts[: i + 1])) for i in range(len(counts))]

    def construct(
        self,
        losses: tuple[Tensor, ...],
        is_finite: tuple[Tensor, ...],
        gradients: tuple[tuple[Tensor, ...], ...],
    ) -> Tensor:
        """Make one update.

        Args:
            losses: (L,) for each phase.
            is_finite: for each phase, whether its gradients are finite, bool scalars.
            gradients: for each phase, one per parameter in the order of the optimizers.

        Returns:
            Whether the step was finite (`LossScale.is_finite`), a bool scalar.
        """
        total, all_finite = losses[0].sum(), is_finite[0]
        for phase in range(1, len(is_finite)):
            total = total + losses[phase].sum()
            all_finite = ops.logical_and(all_finite, is_finite[phase])
        step_finite = self.loss_scale.is_finite(total, all_finite)
        if all_finite:
            step_finite = self.watch.keep(step_finite)
            sums = gradients[0]
            for more in gradients[1:]:
                sums = self.for_each(_sum, sums, more)
            sums = self.clipper(sums)
            for i in range(len(self.slices)):
                first, end = self.slices[i]
                step_finite = ops.depend(step_finite, self.optimizers[i](sums[first:end]))
        return ops.depend(step_finite, self.loss_scale.adjust(all_finite))


def apply_update(update: Update, *phases: GradientResult) -> Tensor:
    """Update by the gradients of one or several phases, and free the gradients.

    Args:
        update: the compiled update.
        phases: results of the phases; their gradients are empty afterwards.

    Returns:
        Whether the step was finite, a bool scalar.
    """
    losses, _, is_finite, gradients = zip(*phases)
    # Tuples that are not mutable become constants of the compiled graph.
    step_finite = update(ms.mutable(losses), ms.mutable(is_finite), ms.mutable(gradients))
    for phase in phases:
        release(phase.gradients)
    return step_finite


class InnerUpdate(nn.Cell):
    """ACL's inner update, theta' = theta - rate * gradient; skipped if a gradient is not finite.

    Args:
        parameters: the parameters that it changes.
        factors: factor on the common rate, one per parameter.
    """

    def __init__(self, parameters: Sequence[Parameter], factors: Sequence[float]) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = tuple(parameters)
        self.factors = tuple(Tensor(factor, ms.float32) for factor in factors)
        self.for_each = ops.HyperMap()

    def construct(self, rate: Tensor, is_finite: Tensor, gradients: tuple[Tensor, ...]) -> Tensor:
        """Change the parameters.

        Args:
            rate: the learning rate, a scalar.
            is_finite: whether the gradients are finite, a bool scalar.
            gradients: one per parameter, in the order of the parameters.

        Returns:
            The rate, available once the parameters are changed.
        """
        if is_finite:
            descend = ops.partial(_descend, rate)
            moved = self.for_each(descend, gradients, self.parameters, self.factors)
            rate = ops.depend(rate, moved)
        return rate
