"""The compiled parts of a training step: forward with losses, gradients, a whole basic step."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from fastreid.layers import running_statistics

from .gradient_average import build_average
from .loss_scale import LossScale
from .statistics_watch import StatisticsWatch
from .updates import Update

# Mapped over parameters: a loop would nest a call for each, and hundreds exceed MindSpore's depth.
_trace = ops.MultitypeFuncGraph("trace")
# Primitives: functions and methods look at their arguments first, which hundreds of gradients pay
# for in compiling.
_matmul, _reshape, _shape = ops.MatMul(), ops.Reshape(), ops.Shape()


@_trace.register("Tensor")
def _trace_one(gradient: Tensor) -> Tensor:
    """(A, ...) -> (A, 1): 0 in every row of finite numbers, NaN in the others."""
    flat = _reshape(gradient, (_shape(gradient)[0], -1))
    return _matmul(flat, ops.zeros((_shape(flat)[1], 1), flat.dtype))


class JoinedCriteria(nn.Cell):
    """The losses of several phases, one phase after the other, from one forward pass.

    Args:
        criteria: cells from (outputs, targets, domainids) to scalars.
    """

    def __init__(self, criteria: Sequence[nn.Cell]) -> None:
        super().__init__(auto_prefix=False)
        self.criteria = nn.CellList(criteria, auto_prefix=False)
        self.names = tuple(name for criterion in criteria for name in criterion.names)

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`."""
        losses = ()
        for criterion in self.criteria:
            losses = losses + criterion(outputs, targets, domainids)
        return losses


class LossForward(nn.Cell):
    """A model with the losses of one phase, or of several (`JoinedCriteria`).

    Args:
        model: gives ``outputs(images, targets)``.
        criterion: the losses, a cell from outputs and columns of the batch to scalars. It declares
            `columns`; without the declaration it takes targets and domainids.
    """

    def __init__(self, model: nn.Cell, criterion: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.criterion = criterion
        self.names = criterion.names
        self.takes_domains = "domainids" in getattr(criterion, "columns", ("domainids",))

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run one batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.
            weights: (L,) of the losses in their sum; all 1 without it.

        Returns:
            The sum of the losses; the losses (L,) in the order of `names`; the share of rows that
            are classified right, a scalar.
        """
        outputs = self.model.outputs(images, targets)
        if self.takes_domains:
            losses = self.criterion(outputs, targets, domainids)
        else:
            losses = self.criterion(outputs, targets)
        weighted = losses
        if weights is not None:
            weighted = ()
            for place in range(len(losses)):
                weighted = weighted + (losses[place] * weights[place],)
        total = weighted[0]
        for loss in weighted[1:]:
            total = total + loss
        accuracy = classification_accuracy(outputs["pred_class_logits"], targets)
        return total, ops.stop_gradient(ops.stack(losses)), ops.stop_gradient(accuracy)


def classification_accuracy(logits: Tensor | tuple[Tensor, ...], targets: Tensor) -> Tensor:
    """Share of rows whose own class has the largest logit.

    Args:
        logits: (N, C), or one (N, classes) per domain, each domain's rows judged under its own.
        targets: (N,) int32 global classes, domain after domain.

    Returns:
        A scalar in [0, 1].
    """
    if not isinstance(logits, tuple):
        logits = (logits,)
    right = ops.zeros((targets.shape[0],), ms.float32)
    first = 0
    for block in logits:
        right = right + (block.argmax(1).astype(ms.int32) + first == targets).astype(ms.float32)
        first = first + block.shape[1]
    return right.mean()


class AllFinite(nn.Cell):
    """Tell whether no number is infinite or NaN.

    Zero times such a number is NaN, and on CPU a product with a column of zeros is ten times as
    fast as looking at every number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.for_each = ops.HyperMap()

    def construct(self, total: Tensor, gradients: tuple[Tensor, ...]) -> Tensor:
        """Judge a scalar and tensors of any shapes (but scalars): a bool scalar."""
        traces = ops.cat(self.for_each(_trace, gradients), 0)
        return ops.isfinite(total + traces.sum())


class GradientStep(nn.Cell):
    """Losses and gradients of one phase, nothing updated but batch-norm statistics.

    Of several processes, means over all of them.

    Args:
        forward: the model with its losses.
        parameters: what to differentiate by.
        loss_scale: of mixed precision.
        watch: over the statistics that the forward pass moves.
    """

    def __init__(
        self,
        forward: LossForward,
        parameters: Sequence[Parameter],
        *,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.forward = forward
        self.loss_scale = loss_scale or LossScale()
        self.watch = watch or StatisticsWatch(())
        self.average = build_average(parameters, len(forward.names))
        self.all_finite = AllFinite()
        self.gradients = ms.value_and_grad(
            self._scaled, None, ms.ParameterTuple(parameters), has_aux=True
        )

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor]:
        """Differentiate the losses of a batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.
            weights: (L,) of the losses in their sum; all 1 without it.

        Returns:
            Losses (L,); whether all is finite, a bool scalar; one gradient per parameter; the share
            of rows that are classified right, a scalar.
        """
        (total, losses, accuracy), gradients = self.gradients(images, targets, domainids, weights)
        # Each process has statistics of its own, and all must judge alike: before the average.
        total = self.watch.judge(total)
        total, losses, accuracy, gradients = self.average(total, losses, accuracy, gradients)
        finite = self.all_finite(total, gradients)
        return losses, finite, self.loss_scale.unscale(gradients), accuracy

    def _scaled(
        self, images: Tensor, targets: Tensor, domainids: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        total, losses, accuracy = self.forward(images, targets, domainids, weights)
        return self.loss_scale.scale(total), losses, accuracy


class TrainStep(nn.Cell):
    """A whole basic step: forward, losses, backward, clipping, update.

    The update is skipped where a loss, a gradient or a running statistic is not finite.

    Args:
        forward: the model with its losses.
        optimizers: each moves its own parameters.
        clipper: clips gradients.
        loss_scale: of mixed precision.
        watch: over the model's running statistics; None makes one.
    """

    def __init__(
        self,
        forward: LossForward,
        optimizers: Sequence[nn.Cell],
        clipper: nn.Cell,
        *,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        parameters = [p for optimizer in optimizers for p in optimizer.parameters]
        watch = watch or StatisticsWatch(running_statistics(forward.model))
        shared = {"loss_scale": loss_scale, "watch": watch}
        self.differentiate = GradientStep(forward, parameters, **shared)
        self.update = Update(optimizers, clipper, **shared)

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take a step on a batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.

        Returns:
            Losses (L,); accuracy, a scalar; whether the step was sound (`LossScale.judge`), a bool
            scalar.
        """
        losses, finite, gradients, accuracy = self.differentiate(images, targets, domainids)
        return losses, accuracy, self.update((gradients,), (losses,), (finite,))
