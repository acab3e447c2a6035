"""Stochastic gradient descent as PyTorch defines it, with no state beyond the velocities."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from ..param_groups import ParamGroup
from .grouped import GroupedOptimizer, with_decay

# Mapped over parameters: a loop nests one call for each, and hundreds exceed MindSpore's limit.
_plain = ops.MultitypeFuncGraph("plain")
_heavy_ball = ops.MultitypeFuncGraph("heavy_ball")
_nesterov = ops.MultitypeFuncGraph("nesterov")
# Primitives compile faster than operators and functions, which dispatch on their arguments.
_add, _mul, _assign, _assign_sub = ops.Add(), ops.Mul(), ops.Assign(), ops.AssignSub()
_apply_momentum = ops.ApplyMomentum()


@_plain.register("Tensor", "Number", "Tensor", "Tensor")
def _plain_one(rate: Tensor, decay: float, gradient: Tensor, parameter: Parameter) -> Tensor:
    return _assign_sub(parameter, _mul(rate, with_decay(gradient, parameter, decay)))


@_heavy_ball.register("Tensor", "Tensor", "Number", "Tensor", "Tensor", "Tensor")
def _heavy_ball_one(
    momentum: Tensor,
    rate: Tensor,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    velocity: Parameter,
) -> Tensor:
    gradient = with_decay(gradient, parameter, decay)
    return _apply_momentum(parameter, velocity, rate, gradient, momentum)


@_nesterov.register("Tensor", "Tensor", "Number", "Tensor", "Tensor", "Tensor")
def _nesterov_one(
    momentum: Tensor,
    rate: Tensor,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    velocity: Parameter,
) -> Tensor:
    gradient = with_decay(gradient, parameter, decay)
    moved = _assign(velocity, _add(_mul(momentum, velocity), gradient))
    return _assign_sub(parameter, _mul(rate, _add(gradient, _mul(momentum, moved))))


class SGD(GroupedOptimizer):
    """SGD with momentum, Nesterov's variant and coupled weight decay.

    MindSpore's `nn.SGD` also keeps a "first step" flag of the size of each parameter, and a
    velocity even without momentum.

    Args:
        groups: parameters with their base rates and decays.
        momentum: momentum factor; 0 for no velocities.
        nesterov: True for Nesterov's momentum.
    """

    def __init__(
        self, groups: Sequence[ParamGroup], *, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(groups, title="SGD")
        if nesterov and momentum <= 0:
            raise ValueError("SOLVER.NESTEROV needs a SOLVER.MOMENTUM above 0.")
        self.learning_rates = self.new_learning_rates("sgd")
        self.momentum = Tensor(momentum, ms.float32)
        self.rule = _nesterov if nesterov else _heavy_ball
        self.velocities = self.new_slot("velocity") if momentum > 0 else ()

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Update every parameter once.

        Args:
            gradients: one per entry of `parameters`, in the same order and of the same shape.

        Returns:
            A scalar; the caller must depend on it, or the compiler drops the updates.
        """
        done = self.momentum
        for i in range(len(self.decays)):
            done = ops.depend(done, self._move_group(i, gradients))
        return done

    def _move_group(self, i: int, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        first, end = self.group_slices[i]
        rate, decay = self.learning_rates[i], self.decays[i]
        gradients, parameters = gradients[first:end], self.parameters[first:end]
        if len(self.velocities) == 0:
            return self.for_each(ops.partial(_plain, rate, decay), gradients, parameters)
        rule = ops.partial(self.rule, self.momentum, rate, decay)
        return self.for_each(rule, gradients, parameters, self.velocities[first:end])

    def states(self) -> Sequence[Parameter]:
        """List the velocities."""
        return self.velocities
