"""Stochastic gradient descent as PyTorch defines it, without copies it does not need."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup

_move = ops.MultitypeFuncGraph("move")


@_move.register("Function", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor")
def _move_one(kernel, momentum, rate, gradient, parameter, velocity, flag):  # noqa: ANN001, ANN202
    return kernel(parameter, gradient, rate, velocity, momentum, flag)


class SGD(nn.Cell):
    """SGD with momentum, Nesterov's variant and coupled weight decay.

    MindSpore's own `nn.SGD` keeps a "first step" flag as large as every parameter, and a velocity
    even without momentum. Its kernel is used here with one zero flag per shape: without dampening
    a velocity that starts at zero needs no first step.

    Args:
        groups: parameters with their base rates and decays.
        momentum: of the velocity; 0 keeps none.
        nesterov: look ahead along the velocity.
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
        # A loop over parameters would nest a call per parameter: hundreds exceed MindSpore's depth.
        self.for_each = ops.HyperMap()
        # Names must differ where several optimizers are compiled into one graph.
        owner = self.parameters[0].name
        self.learning_rates = ms.ParameterTuple(
            [
                Parameter(Tensor(lr, ms.float32), name=f"sgd_lr_{i}.{owner}", requires_grad=False)
                for i, lr in enumerate(self.base_lrs)
            ]
        )
        self.momentum = Tensor(momentum, ms.float32)
        scratch: dict[tuple[int, ...], Parameter] = {}
        for parameter in self.parameters:
            if parameter.shape not in scratch:
                name = f"sgd_scratch.{parameter.name}"
                scratch[parameter.shape] = _zeros(parameter.shape, name)
        flags = [scratch[parameter.shape] for parameter in self.parameters]
        self.first_step_flags = tuple(flags)
        self.velocities = self.first_step_flags
        if momentum > 0:
            self.velocities = ms.ParameterTuple(
                [_zeros(p.shape, f"velocity.{p.name}") for p in self.parameters]
            )
        self.kernels = [
            ops.SGD(dampening=0.0, weight_decay=group.weight_decay, nesterov=nesterov)
            for group in groups
        ]

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Move every parameter once.

        Args:
            gradients: one per entry of `parameters`, in that order and shape.

        Returns:
            A scalar to depend on, so that the updates are not dropped.
        """
        done = self.momentum
        for i in range(len(self.kernels)):
            first, end = self.group_slices[i]
            moved = self.for_each(
                ops.partial(_move, self.kernels[i], self.momentum, self.learning_rates[i]),
                gradients[first:end],
                self.parameters[first:end],
                self.velocities[first:end],
                self.first_step_flags[first:end],
            )
            done = ops.depend(done, moved)
        return done

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set each group's rate for the steps to come; nothing recompiles."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy what a resumed run needs: the velocities, by name."""
        if self.velocities is self.first_step_flags:
            return {}
        return {velocity.name: velocity.asnumpy().copy() for velocity in self.velocities}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Put back what `state_dict` gave.

        Raises:
            ValueError: if the names are not this optimizer's.
        """
        mine = (
            {}
            if self.velocities is self.first_step_flags
            else {velocity.name: velocity for velocity in self.velocities}
        )
        restore_parameters(mine, state, "SGD")


def restore_parameters(
    mine: dict[str, Parameter], state: dict[str, np.ndarray], owner: str
) -> None:
    """Assign saved arrays to an optimizer's own parameters.

    Args:
        mine: name -> parameter.
        state: name -> array.
        owner: name of the optimizer, for the message.

    Raises:
        ValueError: if the names or shapes differ; nothing is assigned then.
    """
    want = {name: tuple(parameter.shape) for name, parameter in mine.items()}
    have = {name: np.shape(value) for name, value in state.items()}
    if want != have:
        differing = sorted(set(want.items()) ^ set(have.items()))
        raise ValueError(
            f"The checkpoint's {owner} state is of another run (another SOLVER.OPT, momentum or "
            f"model); it differs in {differing[:5]}"
        )
    for name, parameter in mine.items():
        ops.assign(parameter, Tensor(np.asarray(state[name]), parameter.dtype))


def _zeros(shape: tuple[int, ...], name: str) -> Parameter:
    return Parameter(ops.zeros(shape, ms.float32), name=name, requires_grad=False)
