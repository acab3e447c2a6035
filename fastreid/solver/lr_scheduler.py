"""Learning-rate schedules as functions of the iteration.

Schedules have no state, so checkpoints need not store any. The rates equal the original's exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

WARMUP_METHODS = ("linear", "constant", "exp")


class Warmup(NamedTuple):
    """Warm-up: number of iterations, initial factor, and method by which it grows to 1.

    Examples:
        >>> from fastreid.solver import Warmup
        >>> warmup = Warmup(iters=10, factor=0.1, method="linear")
        >>> [round(warmup.factor_at(iteration), 4) for iteration in (0, 5, 10, 100)]
        [0.1, 0.55, 1.0, 1.0]
    """

    iters: int
    factor: float
    method: str

    def factor_at(self, iteration: int) -> float:
        """Return the factor on the base rate at an iteration counted from 0."""
        if iteration >= self.iters:
            return 1.0
        progress = iteration / self.iters
        if self.method == "linear":
            return self.factor * (1 - progress) + progress
        if self.method == "exp":
            return self.factor ** (1 - progress)
        return self.factor


class EpochSteps(NamedTuple):
    """Steps of a schedule: one at each epoch end, the first at the end of epoch `first_end`.

    Examples:
        >>> from fastreid.solver import EpochSteps
        >>> steps = EpochSteps(iters_per_epoch=100, first_end=1)
        >>> [steps.until(iteration) for iteration in (0, 99, 100, 350)], steps.iteration_of(3)
        ([0, 0, 1, 3], 300)
    """

    iters_per_epoch: int
    first_end: int

    def until(self, iteration: int) -> int:
        """Count the steps before an iteration counted from 0."""
        return max(iteration // self.iters_per_epoch - self.first_end + 1, 0)

    def iteration_of(self, step: int) -> int:
        """Return the iteration before which a step, counted from 1, is taken."""
        return (self.first_end + step - 1) * self.iters_per_epoch


class WarmupMultiStepLR:
    """Warm-up, then multiplication by `gamma` at each milestone.

    Args:
        warmup: length, initial factor and method of the warm-up.
        steps: iterations at which the schedule steps.
        milestones: steps at which the rate is multiplied by `gamma`.
        gamma: factor.

    Examples:
        >>> from fastreid.solver import EpochSteps, Warmup, WarmupMultiStepLR
        >>> schedule = WarmupMultiStepLR(
        ...     Warmup(iters=100, factor=0.01, method="linear"),
        ...     steps=EpochSteps(iters_per_epoch=100, first_end=1),
        ...     milestones=[4, 7],
        ...     gamma=0.1,
        ... )
        >>> [f"{schedule.rate(iteration, 0.1):.4g}" for iteration in (0, 50, 100, 400, 700)]
        ['0.001', '0.0505', '0.1', '0.01', '0.001']
    """

    def __init__(
        self, warmup: Warmup, *, steps: EpochSteps, milestones: Sequence[int], gamma: float
    ) -> None:
        self._warmup = warmup
        self._falls = [steps.iteration_of(milestone) for milestone in milestones]
        self._gamma = gamma

    def rate(self, iteration: int, base_lr: float) -> float:
        """Return the rate at an iteration of the whole run, counted from 0."""
        # Each warm-up step sets the rate from the base rate and so cancels earlier milestones.
        since = min(iteration, self._warmup.iters)
        falls = sum(since <= fall <= iteration for fall in self._falls)
        return base_lr * self._warmup.factor_at(iteration) * self._gamma**falls


class WarmupCosineAnnealingLR:
    """Warm-up, then half a cosine down to `eta_min`, one step per epoch.

    Args:
        warmup: length, initial factor and method of the warm-up.
        steps: iterations at which the schedule steps.
        t_max: number of steps of the half cosine.
        eta_min: final rate.

    Examples:
        >>> from fastreid.solver import EpochSteps, Warmup, WarmupCosineAnnealingLR
        >>> schedule = WarmupCosineAnnealingLR(
        ...     Warmup(iters=0, factor=1.0, method="linear"),
        ...     steps=EpochSteps(iters_per_epoch=100, first_end=1),
        ...     t_max=10,
        ...     eta_min=0.0,
        ... )
        >>> [f"{schedule.rate(iteration, 0.1):.4f}" for iteration in (0, 500, 999, 1000)]
        ['0.1000', '0.0500', '0.0024', '0.0000']
    """

    def __init__(self, warmup: Warmup, *, steps: EpochSteps, t_max: int, eta_min: float) -> None:
        self._warmup = warmup
        self._steps = steps
        self._t_max = t_max
        self._eta_min = eta_min

    def rate(self, iteration: int, base_lr: float) -> float:
        """Return the rate at an iteration of the whole run, counted from 0."""
        if iteration < self._warmup.iters:
            return base_lr * self._warmup.factor_at(iteration)
        angle = math.pi * self._steps.until(iteration) / self._t_max
        return self._eta_min + (base_lr - self._eta_min) * (1 + math.cos(angle)) / 2
