"""A loss, gradient, running statistic or weight that is not finite: what to tell, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fastreid.utils.messages.errors import ExplainedError

_NAMES_SHOWN = 5


class NonFiniteError(ExplainedError, FloatingPointError):
    """A step that gave a number that is infinite or NaN.

    Its update was skipped and the running statistics are those of before, unless it is the update
    itself that spoiled weights.

    Args:
        kind: of the step, "basic" or "meta".
        iteration: its number.
        terms: of its loss, by name.
        learning_rate: the first optimizer's rate in it; None where nobody logged it.
        img_paths: files of its batch.
        rank: whose part of the batch these are; None where there is one process.
        statistics: names of the running statistics that are not finite.
        parameters: names of the parameters that its update made infinite or NaN.
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
        told = ", ".join(f"{name}={value:.6g}" for name, value in terms.items())
        rate = "" if learning_rate is None else f", at the learning rate {learning_rate:.3g}"
        whose = "" if rank is None else f" (rank {rank}'s part)"
        step = f"the {kind} step at iteration {iteration}"
        if parameters:
            fault = (
                f"The update of {step} made weights infinite or NaN: {_some(parameters)}; losses "
                f"before it: {told}{rate}."
            )
        elif statistics:
            fault = (
                f"A running statistic of {step} is not finite: {_some(statistics)}; losses: "
                f"{told}{rate}. The update was skipped and the statistics were put back."
            )
            if all(math.isfinite(value) for value in terms.values()):
                fault += (
                    " A batch norm that sees one value per channel has no variance: if so, take a "
                    "larger SOLVER.IMS_PER_BATCH or INPUT.SIZE_TRAIN."
                )
        else:
            fault = (
                f"A loss or gradient of {step} is not finite: {told}{rate}. The update was skipped."
            )
        super().__init__(
            f"{fault} Try a lower SOLVER.BASE_LR or a longer warm-up. The batch{whose}: "
            f"{', '.join(self.img_paths)}"
        )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
