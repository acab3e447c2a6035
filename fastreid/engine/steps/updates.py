"""What moves parameters in a training step, compiled: updates by gradients."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from .loss_scale import LossScale
from .statistics_watch import StatisticsWatch

# Mapped over parameters: a loop would nest a call for each, and hundreds exceed MindSpore's depth.
_descend = ops.MultitypeFuncGraph("descend")
_sum = ops.MultitypeFuncGraph("sum")
# Primitives: operators and functions look at their arguments first, which hundreds of gradients pay
# for in compiling.
_add, _mul, _assign_sub = ops.Add(), ops.Mul(), ops.AssignSub()


@_descend.register("Tensor", "Tensor", "Tensor", "Tensor")
def _descend_one(rate: Tensor, gradient: Tensor, parameter: Parameter, factor: Tensor) -> Tensor:
    return _assign_sub(parameter, _mul(gradient, _mul(rate, factor)))


@_sum.register("Tensor", "Tensor")
def _sum_one(first: Tensor, second: Tensor) -> Tensor:
    return _add(first, second)


class Update(nn.Cell):
    """Apply the sum of the gradients of one or several phases, unless one of them is not finite.

    Args:
        optimizers: each moves its own parameters.
        clipper: clips the sums.
        loss_scale: of mixed precision.
        watch: keeps the running statistics of each finite step.
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
        gradients: tuple[tuple[Tensor, ...], ...],
        losses: tuple[Tensor, ...],
        finite: tuple[Tensor, ...],
    ) -> Tensor:
        """Move by the sum of the gradients.

        Args:
            gradients: of each phase, in the order of the optimizers' parameters.
            losses: of each phase, (L,).
            finite: whether those of each phase are finite, bool scalars.

        Returns:
            Whether the step was sound (`LossScale.judge`), a bool scalar.
        """
        total, all_finite = losses[0].sum(), finite[0]
        for phase in range(1, len(finite)):
            total = total + losses[phase].sum()
            all_finite = ops.logical_and(all_finite, finite[phase])
        sound = self.loss_scale.judge(total, all_finite)
        if all_finite:
            sound = self.watch.keep(sound)
            sums = gradients[0]
            for more in gradients[1:]:
                sums = self.for_each(_sum, sums, more)
            sums = self.clipper(sums)
            for i in range(len(self.slices)):
                first, end = self.slices[i]
                sound = ops.depend(sound, self.optimizers[i](sums[first:end]))
        return ops.depend(sound, self.loss_scale.adjust(all_finite))


class InnerUpdate(nn.Cell):
    """ACL's inner step: move parameters from theta to theta' = theta - rate * gradient.

    Nothing moves where the gradients are not finite.

    Args:
        parameters: what moves, in order.
        factors: of the common rate, one per parameter.
    """

    def __init__(self, parameters: Sequence[Parameter], factors: Sequence[float]) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = tuple(parameters)
        self.factors = tuple(Tensor(factor, ms.float32) for factor in factors)
        self.for_each = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...], rate: Tensor, finite: Tensor) -> Tensor:
        """Move the parameters.

        Args:
            gradients: in the order of the parameters.
            rate: a scalar.
            finite: whether the gradients are finite, a bool scalar.

        Returns:
            A scalar to depend on.
        """
        if finite:
            descend = ops.partial(_descend, rate)
            moved = self.for_each(descend, gradients, self.parameters, self.factors)
            rate = ops.depend(rate, moved)
        return rate
