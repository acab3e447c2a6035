"""Distillation of maps before the ReLU.

Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019.
"""

from __future__ import annotations

import math

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from scipy.special import ndtr

from fastreid.layers import BatchNorm, Conv2d

# Divides the sum over all elements of the maps, as in fast-reid.
_SCALE = 10_000
# Below this probability of a negative value, the margin is -3 standard deviations.
_RARE = 0.001


def negative_means(norm: nn.Cell) -> np.ndarray:
    """Compute the expected negative value of each channel after a norm, the margin of the loss.

    The norm's output is taken as normal with its shift as mean and its scale as deviation.

    Args:
        norm: has `gamma` and `beta`, (C,) each.

    Returns:
        (1, C, 1, 1) float32.
    """
    deviation = np.abs(norm.gamma.asnumpy().astype(np.float64))
    mean = norm.beta.asnumpy().astype(np.float64)
    # Clipped where the probabilities are 0 and 1 in float64, for channels without deviation.
    ratio = np.clip(mean / np.maximum(deviation, np.finfo(np.float32).tiny), -40, 40)
    negative = ndtr(-ratio)
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    expected = mean - deviation * density / np.maximum(negative, _RARE)
    margins = np.where(negative > _RARE, expected, -3 * deviation)
    return margins.astype(np.float32).reshape(1, -1, 1, 1)


def overhaul_loss(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """Compute the partial squared distance of two maps before their ReLU.

    The target is the teacher's map, at least the margin. Elements below a target that is not
    positive do not count: the ReLU makes both zero.

    Args:
        student: (N, C, h, w).
        teacher: (N, C, h, w).
        margin: (1, C, 1, 1), not positive.

    Returns:
        A scalar, the sum over all elements.
    """
    target = ops.maximum(teacher, ops.broadcast_to(margin, teacher.shape))
    counts = ops.logical_or(student > target, target > 0).astype(student.dtype)
    return (ops.square(student - target) * counts).sum()


def build_connectors(
    student_channels: tuple[int, ...], teacher_channels: tuple[int, ...]
) -> nn.CellList:
    """Build, for each stage, a 1x1 convolution and a norm from the student's maps to the teacher's.

    Args:
        student_channels: channels of each stage.
        teacher_channels: channels of each stage.

    Returns:
        Cells from (N, student channels, h, w) to (N, teacher channels, h, w).
    """
    pairs = zip(student_channels, teacher_channels)
    return nn.CellList(
        [nn.SequentialCell([Conv2d(mine, theirs, 1), BatchNorm(theirs)]) for mine, theirs in pairs]
    )


class OverhaulLosses(nn.Cell):
    """The losses of `DistillationLosses`, and the distance of the stages' maps.

    Args:
        logit_losses: a cell from (outputs, targets) to scalars, with their `names`.
    """

    columns = ("targets",)

    def __init__(self, logit_losses: nn.Cell) -> None:
        super().__init__()
        self.logit_losses = logit_losses
        self.names = (*logit_losses.names, "loss_overhaul")

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Compute scalars in the order of `names`.

        Args:
            outputs: those of the other losses, and `stage_maps`: for each teacher and stage the
                student's connected map, the teacher's map and the margin of `overhaul_loss`. A
                stage counts half as much as the next one.
            targets: (N,) int32 class of each row.
        """
        total = ops.zeros((), ms.float32)
        for stages in outputs["stage_maps"]:
            weight = 0.5 ** (len(stages) - 1)
            for student, teacher, margin in stages:
                total = total + overhaul_loss(student, teacher, margin) * weight
                weight = weight * 2
        mean = total / (len(outputs["stage_maps"]) * targets.shape[0] * _SCALE)
        return self.logit_losses(outputs, targets) + (mean,)
