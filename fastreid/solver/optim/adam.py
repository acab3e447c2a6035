"""MindSpore's Adam with the interface of `SGD`."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Parameter, Tensor, nn

from ..param_groups import ParamGroup
from .grouped import GroupedOptimizer


class Adam(GroupedOptimizer):
    """Adam (Kingma and Ba, ICLR 2015) with coupled weight decay, as in PyTorch.

    Args:
        groups: parameters with their base rates and decays.
    """

    def __init__(self, groups: Sequence[ParamGroup]) -> None:
        super().__init__(groups, title="Adam")
        parts = zip(self.group_slices, self.base_lrs, self.decays)
        self.adam = nn.Adam(
            [
                {"params": list(self.parameters[first:end]), "lr": lr, "weight_decay": decay}
                for (first, end), lr, decay in parts
            ]
        )
        self.learning_rates = [self.adam.learning_rate[first] for first, _ in self.group_slices]
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

    def states(self) -> Sequence[Parameter]:
        """List the moments, bias corrections and the step count."""
        others = {id(parameter) for parameter in (*self.parameters, *self.learning_rates)}
        return [each for each in self.adam.get_parameters() if id(each) not in others]
