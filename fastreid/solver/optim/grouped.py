"""What the optimizers share: groups of parameters, their rates, and states for checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup

# Primitives compile faster than operators and functions, which dispatch on their arguments.
_add, _mul = ops.Add(), ops.Mul()


class GroupedOptimizer(nn.Cell):
    """An optimizer over groups of parameters, each with a learning rate and a weight decay.

    A subclass sets `learning_rates`, which has one parameter for each group, and defines
    `construct` and `states`.

    Args:
        groups: parameters with their base rates and decays.
        title: name of the optimizer, for messages.
    """

    learning_rates: Sequence[Parameter]

    def __init__(self, groups: Sequence[ParamGroup], *, title: str) -> None:
        super().__init__(auto_prefix=False)
        self.title = title
        self.base_lrs = [group.base_lr for group in groups]
        self.decays = [float(group.weight_decay) for group in groups]
        self.parameters = tuple(parameter for group in groups for parameter in group.parameters)
        ends = np.cumsum([len(group.parameters) for group in groups]).tolist()
        self.group_slices = tuple(zip([0, *ends], ends))
        # Mapped over parameters: a loop nests one call for each, and hundreds exceed a limit.
        self.for_each = ops.HyperMap()

    def number(self, value: float, name: str) -> Parameter:
        """Make a number of this optimizer.

        Args:
            value: at first.
            name: different from those of the optimizer's other numbers.
        """
        # Names must differ where several optimizers are compiled into one graph.
        full_name = f"{name}.{self.parameters[0].name}"
        return Parameter(Tensor(value, ms.float32), name=full_name, requires_grad=False)

    def new_learning_rates(self, prefix: str) -> ms.ParameterTuple:
        """Make the parameter of each group's learning rate."""
        rates = [self.number(lr, f"{prefix}_lr_{i}") for i, lr in enumerate(self.base_lrs)]
        return ms.ParameterTuple(rates)

    def new_slot(self, name: str) -> ms.ParameterTuple:
        """Make an array of zeros beside each parameter, of its shape."""
        return ms.ParameterTuple(
            [
                Parameter(
                    ops.zeros(p.shape, ms.float32), name=f"{name}.{p.name}", requires_grad=False
                )
                for p in self.parameters
            ]
        )

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group for the next steps, without recompilation."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def states(self) -> Sequence[Parameter]:
        """List what a checkpoint keeps of this optimizer."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy the state for a checkpoint: arrays and counters, by name."""
        return {parameter.name: parameter.asnumpy().copy() for parameter in self.states()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: names or shapes differ from this optimizer's.
        """
        mine = {parameter.name: parameter for parameter in self.states()}
        restore_parameters(mine, state, self.title)


def with_decay(gradient: Tensor, parameter: Parameter, decay: float) -> Tensor:
    """Add the gradient of the weight decay: tensors of one shape -> the same."""
    return gradient if decay == 0 else _add(gradient, _mul(parameter, decay))


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
