"""MindSpore's Adam under the interface of `SGD`."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup
from .sgd import restore_parameters


class Adam(nn.Cell):
    """Adam with coupled weight decay (Kingma and Ba, ICLR 2015), as PyTorch's `Adam`.

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
        """Let several optimizers be compiled into one graph: two are, where parts freeze."""
        owner = self.parameters[0].name
        weights = {id(parameter) for parameter in self.parameters}
        for parameter in self.adam.get_parameters():
            if id(parameter) not in weights and not parameter.name.startswith("moment"):
                parameter.name = f"{parameter.name}.{owner}"

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Move every parameter once, by gradients in the order of `parameters`."""
        return self.adam(gradients)

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set each group's rate for the steps to come; nothing recompiles."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy what a resumed run needs: moments, bias corrections and the step count."""
        return {name: parameter.asnumpy().copy() for name, parameter in self._state().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Put back what `state_dict` gave.

        Raises:
            ValueError: if the names are not this optimizer's.
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
