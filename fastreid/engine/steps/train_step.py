"""Compiled cells: a forward pass with losses, its gradients, and a whole basic step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from fastreid.layers import running_statistics

from .gradient_average import OneProcess, build_average
from .loss_scale import LossScale
from .statistics_watch import StatisticsWatch
from .updates import Update

# This function is mapped over the parameters: a loop over hundreds of them exceeds the depth of
# calls that MindSpore compiles.
_trace = ops.MultitypeFuncGraph("trace")


@_trace.register("Tensor")
def _trace_one(gradient: Tensor) -> Tensor:
    """(A, ...) -> (A, 1): 0 for rows of finite numbers, NaN for the others."""
    rows = gradient.reshape(gradient.shape[0], -1)
    return ops.matmul(rows, ops.zeros((rows.shape[1], 1), rows.dtype))


class JoinedCriteria(nn.Cell):
    """The losses of several phases on the outputs of one forward pass, phase after phase.

    Args:
        criteria: cells that compute losses, scalars, from (outputs, targets, domainids).
    """

    def __init__(self, criteria: Sequence[nn.Cell]) -> None:
        super().__init__(auto_prefix=False)
        self.criteria = nn.CellList(criteria, auto_prefix=False)
        self.names = tuple(name for criterion in criteria for name in criterion.names)

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Compute the losses, scalars in the order of `names`."""
        losses = ()
        for criterion in self.criteria:
            losses = losses + criterion(outputs, targets, domainids)
        return losses


class LossForward(nn.Cell):
    """A model with the losses of one phase, or of several phases (`JoinedCriteria`).

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
        """Compute the losses of a batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.
            weights: (L,), weights of the losses in their sum; None means 1 for each.

        Returns:
            The weighted sum of the losses; the losses (L,) in the order of `names`; the fraction
            of rows that are classified correctly, a scalar.
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
    """Compute the fraction of rows whose target class has the largest logit.

    Args:
        logits: (N, C); or one (N, classes) per domain, of which each row uses its own domain's.
        targets: (N,) int32 classes, numbered over all domains, domain after domain.

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
    """Tell whether all numbers are finite.

    The product of 0 and an infinite number or NaN is NaN, and on CPU a matrix product with zeros is
    ten times as fast as a test of every number (docs/performance.md).
    """

    def __init__(self) -> None:
        super().__init__()
        self.for_each = ops.HyperMap()

    def construct(self, total: Tensor, gradients: tuple[Tensor, ...]) -> Tensor:
        """Check a scalar and tensors.

        Args:
            total: a scalar.
            gradients: tensors of at least one dimension.

        Returns:
            A bool scalar.
        """
        traces = ops.cat(self.for_each(_trace, gradients), 0)
        return ops.isfinite(total + traces.sum())


class GradientStep(nn.Cell):
    """Losses and gradients of one batch; changes running statistics and no parameters.

    With several processes, the results are means over all of them.

    Args:
        forward: the model with its losses.
        parameters: the parameters to differentiate by.
        averages: whether the results are averaged over the processes; False leaves that to the
            caller.
        loss_scale: loss scaling of mixed precision; None disables it.
        watch: checks the running statistics that the forward pass changes; None checks none.
    """

    def __init__(
        self,
        forward: LossForward,
        parameters: Sequence[Parameter],
        *,
        averages: bool = True,
        loss_scale: LossScale | None = None,
        watch: StatisticsWatch | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.forward = forward
        self.loss_scale = loss_scale or LossScale()
        self.watch = watch or StatisticsWatch(())
        self.average: nn.Cell = OneProcess()
        if averages:
            self.average = build_average(parameters, len(forward.names))
        self.all_finite = AllFinite()
        self.gradients = ms.value_and_grad(
            self._scaled, None, ms.ParameterTuple(parameters), has_aux=True
        )

    def construct(
        self, images: Tensor, targets: Tensor, domainids: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """Differentiate the losses of a batch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 classes.
            domainids: (N,) int32 domains.
            weights: (L,), weights of the losses in their sum; None means 1 for each.

        Returns:
            The fields of `GradientResult`.
        """
        (total, losses, accuracy), gradients = self.gradients(images, targets, domainids, weights)
        # Each process has its own statistics, and all processes must get the same result: so this
        # comes before the average.
        total = self.watch.nan_unless_finite(total)
        total, losses, accuracy, gradients = self.average(total, losses, accuracy, gradients)
        is_finite = self.all_finite(total, gradients)
        return losses, accuracy, is_finite, self.loss_scale.unscale(gradients)

    def _scaled(
        self, images: Tensor, targets: Tensor, domainids: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        total, losses, accuracy = self.forward(images, targets, domainids, weights)
        return self.loss_scale.scale(total), losses, accuracy


class TrainStep(nn.Cell):
    """A whole basic step: forward, losses, backward, clipping, update.

    The update is skipped if a loss, a gradient or a running statistic is not finite.

    Args:
        forward: the model with its losses.
        optimizers: optimizers of disjoint parameters.
        clipper: clips the gradients.
        loss_scale: loss scaling of mixed precision; None disables it.
        watch: checks the running statistics of the model; None creates one.
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
        shared: dict[str, Any] = {"loss_scale": loss_scale, "watch": watch}
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
            The fields of `StepResult`.
        """
        losses, accuracy, is_finite, gradients = self.differentiate(images, targets, domainids)
        return losses, accuracy, self.update((losses,), (is_finite,), (gradients,))


def batch_tensors(batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
    """Copy the columns of a batch that a step computes on to the device.

    Args:
        batch: a batch with images (N, 3, H, W) float32, targets (N,) int32, domainids (N,) int32.

    Returns:
        Images, targets and domainids.
    """
    return Tensor(batch["images"]), Tensor(batch["targets"]), Tensor(batch["domainids"])
