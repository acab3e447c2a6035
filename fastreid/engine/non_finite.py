"""A loss or gradient that is not finite: what to tell, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastreid.utils.errors import ExplainedError


class NonFiniteError(ExplainedError, FloatingPointError):
    """A step whose loss or gradient is infinite or NaN; its update was skipped.

    Args:
        kind: of the step, "basic" or "meta".
        iteration: its number.
        terms: of its loss, by name.
        learning_rate: the first optimizer's rate in it; None where nobody logged it.
        img_paths: files of its batch.
        rank: whose part of the batch these are; None where there is one process.
    """

    def __init__(
        self,
        kind: str,
        iteration: int,
        *,
        terms: Mapping[str, float],
        learning_rate: float | None,
        img_paths: Sequence[str],
        rank: int | None = None,
    ) -> None:
        self.iteration = iteration
        self.terms = dict(terms)
        self.learning_rate = learning_rate
        self.img_paths = [str(path) for path in img_paths]
        told = ", ".join(f"{name}={value:.6g}" for name, value in terms.items())
        whose = "" if rank is None else f" (rank {rank}'s part)"
        rate = "" if learning_rate is None else f", at the learning rate {learning_rate:.3g}"
        super().__init__(
            f"A loss or gradient of the {kind} step at iteration {iteration} is not finite: "
            f"{told}{rate}. The update was skipped. Try a lower SOLVER.BASE_LR or a longer "
            f"warm-up. The batch{whose}: {', '.join(self.img_paths)}"
        )
