"""Results of the parts of a training step, always in the order losses, accuracy, is_finite.

A compiled cell returns a plain tuple; the callers of the cells in this package wrap it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mindspore import Tensor


class StepResult(NamedTuple):
    """Result of a step that updated the model.

    Attributes:
        losses: (L,), in the order of the names of `LossForward`.
        accuracy: fraction of rows that are classified correctly, a scalar.
        is_finite: whether the step was finite, a bool scalar; if not, its update was skipped.
    """

    losses: Tensor
    accuracy: Tensor
    is_finite: Tensor


class GradientResult(NamedTuple):
    """Result of a forward and a backward pass.

    Attributes:
        losses: (L,), in the order of the names of `LossForward`.
        accuracy: fraction of rows that are classified correctly, a scalar.
        is_finite: whether all numbers are finite, a bool scalar.
        gradients: one per parameter, in the order of the parameters.
    """

    losses: Tensor
    accuracy: Tensor
    is_finite: Tensor
    gradients: tuple[Tensor, ...]


class MetaGradients(NamedTuple):
    """Results of the two halves of a meta step.

    Attributes:
        seen: on the seen domains, at the current weights.
        held_out: on the held-out domain, at the weights after the inner update.
    """

    seen: GradientResult
    held_out: GradientResult


class StepRecord(NamedTuple):
    """A step whose results are still on the device; they are read when they are needed.

    Attributes:
        iteration: number of the iteration.
        kind: "basic" or "meta".
        names: names of the losses of all phases.
        losses: (L,) for each phase.
        is_finite: whether the step was finite, a bool scalar.
        img_paths: files of the batch.
    """

    iteration: int
    kind: str
    names: tuple[str, ...]
    losses: Sequence[Tensor]
    is_finite: Tensor
    img_paths: np.ndarray

    def terms(self) -> dict[str, float]:
        """Read the losses: name -> value, summed over the phases of the step that have it."""
        values = np.concatenate([losses.asnumpy().reshape(-1) for losses in self.losses])
        sums: dict[str, float] = {}
        for name, value in zip(self.names, values):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums
