"""The learning rate as a plain function of the iteration.

Nothing is stepped, so nothing can be lost on resume. The sequences are upstream's, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

WARMUP_METHODS = ("linear", "constant", "exp")


class Warmup(NamedTuple):
    """The first iterations: their number, the factor they start from, how it grows to 1."""

    iters: int
    factor: float
    method: str

    def factor_at(self, iteration: int) -> float:
        """Factor on the base rate at an iteration counted from 0."""
        if iteration >= self.iters:
            return 1.0
        progress = iteration / self.iters
        if self.method == "linear":
            return self.factor * (1 - progress) + progress
        if self.method == "exp":
            return self.factor ** (1 - progress)
        return self.factor


class EpochSteps(NamedTuple):
    """When a schedule steps: at epoch ends, from `first_end` on, counted in epochs done."""

    iters_per_epoch: int
    first_end: int

    def until(self, iteration: int) -> int:
        """Steps taken before an iteration counted from 0."""
        return max(iteration // self.iters_per_epoch - self.first_end + 1, 0)

    def iteration_of(self, step: int) -> int:
        """Iteration before which a step, counted from 1, is taken."""
        return (self.first_end + step - 1) * self.iters_per_epoch


class WarmupMultiStepLR:
    """Warm-up, then a factor `gamma` at some steps.

    Args:
        warmup: the first iterations.
        steps: when the schedule steps.
        milestones: steps at which the rate falls.
        gamma: the factor.
    """

    def __init__(
        self, warmup: Warmup, *, steps: EpochSteps, milestones: Sequence[int], gamma: float
    ) -> None:
        self._warmup = warmup
        self._falls = [steps.iteration_of(milestone) for milestone in milestones]
        self._gamma = gamma

    def rate(self, iteration: int, base_lr: float) -> float:
        """Rate in force at an iteration of the whole run, counted from 0."""
        # Every warm-up step sets the rate anew, which undoes the falls before it.
        since = min(iteration, self._warmup.iters)
        falls = sum(since <= fall <= iteration for fall in self._falls)
        return base_lr * self._warmup.factor_at(iteration) * self._gamma**falls


class WarmupCosineAnnealingLR:
    """Warm-up, then half a cosine down to `eta_min`, one step an epoch.

    Args:
        warmup: the first iterations.
        steps: when the schedule steps.
        t_max: steps of the half cosine.
        eta_min: the last rate.
    """

    def __init__(self, warmup: Warmup, *, steps: EpochSteps, t_max: int, eta_min: float) -> None:
        self._warmup = warmup
        self._steps = steps
        self._t_max = t_max
        self._eta_min = eta_min

    def rate(self, iteration: int, base_lr: float) -> float:
        """Rate in force at an iteration of the whole run, counted from 0."""
        if iteration < self._warmup.iters:
            return base_lr * self._warmup.factor_at(iteration)
        angle = math.pi * self._steps.until(iteration) / self._t_max
        return self._eta_min + (base_lr - self._eta_min) * (1 + math.cos(angle)) / 2
