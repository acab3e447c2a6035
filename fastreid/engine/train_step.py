"""The compiled parts of a training step: forward with losses, gradients, update."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

# Mapped over parameters: a loop would nest a call for each, and hundreds exceed MindSpore's depth.
_descend = ops.MultitypeFuncGraph("descend")
_sum = ops.MultitypeFuncGraph("sum")
_trace = ops.MultitypeFuncGraph("trace")


@_descend.register("Tensor", "Tensor", "Tensor", "Tensor")
def _descend_one(rate: Tensor, gradient: Tensor, parameter: Parameter, factor: Tensor) -> Tensor:
    return ops.assign_sub(parameter, gradient * (rate * factor))


@_sum.register("Tensor", "Tensor")
def _sum_one(first: Tensor, second: Tensor) -> Tensor:
    return first + second


@_trace.register("Tensor")
def _trace_one(gradient: Tensor) -> Tensor:
    """(A, ...) -> (A, 1): 0 in every row of finite numbers, NaN in the others."""
    rows = gradient.shape[0]
    flat = gradient.reshape(rows, -1)
    return ops.matmul(flat, ops.zeros((flat.shape[1], 1), flat.dtype))


class LossForward(nn.Cell):
    """A model with the losses of one phase.

    Args:
        model: gives ``outputs(images, targets)``.
        criterion: the losses, a cell from (outputs, targets, domainids) to scalars.
    """

    def __init__(self, model: nn.Cell, criterion: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.criterion = criterion
        self.names = criterion.names

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run one batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.

        Returns:
            The plain sum of the losses; the losses (L,) in the order of `names`; the share of rows
            that are classified right, a scalar.
        """
        outputs = self.model.outputs(images, targets)
        losses = self.criterion(outputs, targets, domainids)
        total = losses[0]
        for loss in losses[1:]:
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

    Args:
        forward: the model with its losses.
        parameters: what to differentiate by.
    """

    def __init__(self, forward: LossForward, parameters: Sequence[Parameter]) -> None:
        super().__init__(auto_prefix=False)
        self.forward = forward
        self.all_finite = AllFinite()
        self.gradients = ms.value_and_grad(
            forward, None, ms.ParameterTuple(parameters), has_aux=True
        )

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Losses (L,), whether all is finite (bool scalar), and one gradient per parameter."""
        (total, losses, _), gradients = self.gradients(images, targets, domainids)
        finite = self.all_finite(total, gradients)
        return losses, finite, gradients


class TrainStep(nn.Cell):
    """A whole basic step: forward, losses, backward, clipping, update.

    The update is skipped where a loss or a gradient is not finite.

    Args:
        forward: the model with its losses.
        optimizers: each moves its own parameters.
        clipper: clips gradients.
    """

    def __init__(
        self, forward: LossForward, optimizers: Sequence[nn.Cell], clipper: nn.Cell
    ) -> None:
        super().__init__(auto_prefix=False)
        self.forward = forward
        self.optimizers = nn.CellList(optimizers, auto_prefix=False)
        self.clipper = clipper
        self.all_finite = AllFinite()
        parameters = [p for optimizer in optimizers for p in optimizer.parameters]
        self.gradients = ms.value_and_grad(
            forward, None, ms.ParameterTuple(parameters), has_aux=True
        )
        counts = [len(optimizer.parameters) for optimizer in optimizers]
        self.slices = [(sum(counts[:i]), sum(counts[: i + 1])) for i in range(len(counts))]

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Losses (L,), accuracy, and whether all was finite, a bool scalar."""
        (total, losses, accuracy), gradients = self.gradients(images, targets, domainids)
        finite = self.all_finite(total, gradients)
        if finite:
            gradients = self.clipper(gradients)
            for i in range(len(self.slices)):
                first, end = self.slices[i]
                finite = ops.depend(finite, self.optimizers[i](gradients[first:end]))
        return losses, accuracy, finite


class InnerUpdate(nn.Cell):
    """ACL's inner step: move parameters from theta to theta' = theta - rate * gradient.

    Args:
        parameters: what moves, in order.
        factors: of the common rate, one per parameter; 0 leaves a parameter alone.
    """

    def __init__(self, parameters: Sequence[Parameter], factors: Sequence[float]) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = tuple(parameters)
        self.factors = tuple(Tensor(factor, ms.float32) for factor in factors)
        self.for_each = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...], rate: Tensor) -> Tensor:
        """Move, by gradients in the order of the parameters and a scalar rate."""
        moved = self.for_each(ops.partial(_descend, rate), gradients, self.parameters, self.factors)
        return ops.depend(rate, moved)


class SummedUpdate(nn.Cell):
    """Apply the sum of two gradients.

    Args:
        optimizer: moves its parameters.
        clipper: clips the sums.
    """

    def __init__(self, optimizer: nn.Cell, clipper: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.clipper = clipper
        self.for_each = ops.HyperMap()

    def construct(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Move by ``first + second``, both in the order of the optimizer's parameters."""
        return self.optimizer(self.clipper(self.for_each(_sum, first, second)))
