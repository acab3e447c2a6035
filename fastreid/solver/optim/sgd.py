"""Stochastic gradient descent as PyTorch defines it, with no state beyond the velocities."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup

# Mapped over parameters: a loop nests one call for each, and hundreds exceed MindSpore's limit.
_plain = ops.MultitypeFuncGraph("plain")
_heavy_ball = ops.MultitypeFuncGraph("heavy_ball")
_nesterov = ops.MultitypeFuncGraph("nesterov")
# Primitives compile faster than operators and functions, which dispatch on their arguments.
_add, _mul, _assign, _assign_sub = ops.Add(), ops.Mul(), ops.Assign(), ops.AssignSub()
_apply_momentum = ops.ApplyMomentum()


@_plain.register("Tensor", "Number", "Tensor", "Tensor")
def _plain_one(rate: Tensor, decay: float, gradient: Tensor, parameter: Parameter) -> Tensor:
    return _assign_sub(parameter, _mul(rate, _decayed(gradient, parameter, decay)))


@_heavy_ball.register("Tensor", "Tensor", "Number", "Tensor", "Tensor", "Tensor")
def _heavy_ball_one(
    momentum: Tensor,
    rate: Tensor,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    velocity: Parameter,
) -> Tensor:
    gradient = _decayed(gradient, parameter, decay)
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
    gradient = _decayed(gradient, parameter, decay)
    moved = _assign(velocity, _add(_mul(momentum, velocity), gradient))
    return _assign_sub(parameter, _mul(rate, _add(gradient, _mul(momentum, moved))))


def _decayed(gradient: Tensor, parameter: Parameter, decay: float) -> Tensor:
    return gradient if decay == 0 else _add(gradient, _mul(parameter, decay))


class SGD(nn.Cell):
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
        super().__init__(auto_prefix=False)
        if nesterov and momentum <= 0:
            raise ValueError("SOLVER.NESTEROV needs a SOLVER.MOMENTUM above 0.")
        self.base_lrs = [group.base_lr for group in groups]
        self.parameters = tuple(parameter for group in groups for parameter in group.parameters)
        ends = np.cumsum([len(group.parameters) for group in groups]).tolist()
        self.group_slices = tuple(zip([0, *ends], ends))
        self.for_each = ops.HyperMap()
        # Names must differ where several optimizers are compiled into one graph.
        owner = self.parameters[0].name
        self.learning_rates = ms.ParameterTuple(
            [
                Parameter(Tensor(lr, ms.float32), name=f"sgd_lr_{i}.{owner}", requires_grad=False)
                for i, lr in enumerate(self.base_lrs)
            ]
        )
        self.decays = [float(group.weight_decay) for group in groups]
        self.momentum = Tensor(momentum, ms.float32)
        self.rule = _nesterov if nesterov else _heavy_ball
        self.velocities = (
            ms.ParameterTuple([_zeros(p.shape, f"velocity.{p.name}") for p in self.parameters])
            if momentum > 0
            else ()
        )

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

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group for the next steps, without recompilation."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy the state for a checkpoint: the velocities, by name."""
        return {velocity.name: velocity.asnumpy().copy() for velocity in self.velocities}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: names or shapes differ from this optimizer's.
        """
        restore_parameters({velocity.name: velocity for velocity in self.velocities}, state, "SGD")


def restore_parameters(
    mine: dict[str, Parameter], state: dict[str, np.ndarray], owner: str
) -> None:
    """Assign saved arrays to the state of an optimizer.

    Args:
        mine: parameters of the optimizer, by name.
        state: saved arrays, by name.
        owner: name of the optimizer, for the message.

    Raises:
        ValueError: names or shapes differ; nothing is assigned then.
    """
    want = {name: tuple(parameter.shape) for name, parameter in mine.items()}
    have = {name: np.shape(value) for name, value in state.items()}
    if want != have:
        differing = sorted(set(want.items()) ^ set(have.items()))
        raise ValueError(
            f"The checkpoint's {owner} state does not fit this optimizer (another SOLVER.OPT, "
            f"momentum or model?); it differs in {differing[:5]}"
        )
    for name, parameter in mine.items():
        ops.assign(parameter, Tensor(np.asarray(state[name]), parameter.dtype))


def _zeros(shape: tuple[int, ...], name: str) -> Parameter:
    return Parameter(ops.zeros(shape, ms.float32), name=name, requires_grad=False)
