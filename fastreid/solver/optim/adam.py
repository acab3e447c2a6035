"""MindSpore's Adam with the interface of `SGD`."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup
from .sgd import restore_parameters


class Adam(nn.Cell):
    """Adam (Kingma and Ba, ICLR 2015) with coupled weight decay, as in PyTorch.

    Args:
        groups: parameters with their base rates and decays.
    """

    def __init__(self, groups: Sequence[ParamGroup]) -> None:
        super().__init__(auto_prefix=False)
        self.base_lrs = [group.base_lr for group in groups]
        self.parameters = tuple(parameter for group in groups for parameter in group.parameters)
        self.adam = nn.Adam(
            [
                {"params": list(group.parameters), "lr": lr, "weight_decay": group.weight_decay}
                for group, lr in zip(groups, self.base_lrs)
            ]
        )
        first_of_group = np.cumsum([0] + [len(group.parameters) for group in groups])[:-1]
        self.learning_rates = [self.adam.learning_rate[int(i)] for i in first_of_group]

        self._make_names_unique()

    def _make_names_unique(self) -> None:
        """Make names unique: with frozen parts, two optimizers are compiled into one graph."""
        owner = self.parameters[0].name
        weights = {id(parameter) for parameter in self.parameters}
        for parameter in self.adam.get_parameters():
            if id(parameter) not in weights and not parameter.name.startswith("moment"):
                parameter.name = f"{parameter.name}.{owner}"

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Update every parameter once, by gradients in the order of `parameters`."""
        return self.adam(gradients)

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group for the next steps, without recompilation."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy the state for a checkpoint: moments, bias corrections and step count."""
        return {name: parameter.asnumpy().copy() for name, parameter in self._state().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: names or shapes differ from this optimizer's.
        """
        restore_parameters(self._state(), state, "Adam")

    def _state(self) -> dict[str, Parameter]:
        weights = {id(parameter) for parameter in self.parameters}
        rates = {id(parameter) for parameter in self.learning_rates}
        return {
            parameter.name: parameter
            for parameter in self.adam.get_parameters()
            if id(parameter) not in weights and id(parameter) not in rates
        }
