"""The error for a loss, gradient, running statistic or weight that is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fastreid.utils.messages.errors import ExplainedError

_NAMES_SHOWN = 5


class NonFiniteError(ExplainedError, FloatingPointError):
    """A training step produced an infinite number or NaN.

    The update of that step was skipped and the running statistics were restored, unless the update
    itself made weights infinite or NaN.

    Args:
        kind: kind of the step, "basic" or "meta".
        iteration: number of the iteration.
        terms: losses of the step, by name.
        learning_rate: learning rate of the first optimizer; None if it was not logged.
        img_paths: image files of the batch.
        rank: process that these images belong to; None if there is one process.
        statistics: names of the running statistics that are not finite.
        parameters: names of the parameters that the update made infinite or NaN.
    """

    def __init__(
        self,
        kind: str,
        iteration: int,
        *,
        terms: Mapping[str, float],
        learning_rate: float | None,
        img_paths: Sequence[str] | np.ndarray,
        rank: int | None = None,
        statistics: Sequence[str] = (),
        parameters: Sequence[str] = (),
    ) -> None:
        self.iteration = iteration
        self.terms = dict(terms)
        self.learning_rate = learning_rate
        self.img_paths = [str(path) for path in img_paths]
        self.statistics = list(statistics)
        self.parameters = list(parameters)
        losses = ", ".join(f"{name}={value:.6g}" for name, value in terms.items())
        rate = "" if learning_rate is None else f", at the learning rate {learning_rate:.3g}"
        step = f"the {kind} step at iteration {iteration}"
        if parameters:
            fault = (
                f"The update of {step} made weights infinite or NaN: {_some(parameters)}; losses "
                f"before it: {losses}{rate}."
            )
        elif statistics:
            fault = (
                f"A running statistic of {step} is not finite: {_some(statistics)}; losses: "
                f"{losses}{rate}. The update was skipped and the statistics were restored."
                f"{_batch_norm_advice(terms)}"
            )
        else:
            fault = (
                f"A loss or gradient of {step} is not finite: {losses}{rate}. The update was "
                "skipped."
            )
        scope = "" if rank is None else f" (rank {rank}'s part)"
        super().__init__(
            f"{fault} Try a lower SOLVER.BASE_LR or a longer warm-up. The batch{scope}: "
            f"{', '.join(self.img_paths)}"
        )


def _batch_norm_advice(terms: Mapping[str, float]) -> str:
    if not all(math.isfinite(value) for value in terms.values()):
        return ""
    return (
        " A batch norm that gets one value per channel has no variance: in this case increase "
        "SOLVER.IMS_PER_BATCH or INPUT.SIZE_TRAIN."
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
