"""One cell for all optimizers that are defined by an update rule."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from ..param_groups import ParamGroup
from .rules import RULES
from .sgd import restore_parameters


class Adaptive(nn.Cell):
    """AdamW, RMSprop, Adagrad, Adamax, NAdam, RAdam or LAMB, with the interface of `SGD`.

    Args:
        groups: parameters with their base rates and decays.
        name: a name of `RULES`.

    Raises:
        KeyError: there is no such rule.
    """

    def __init__(self, groups: Sequence[ParamGroup], *, name: str) -> None:
        super().__init__(auto_prefix=False)
        self.rule_name, rule = name, RULES[name]
        self.factors, self.move = rule.factors() if rule.factors else None, rule.move
        self.base_lrs = [group.base_lr for group in groups]
        self.decays = [float(group.weight_decay) for group in groups]
        self.parameters = tuple(parameter for group in groups for parameter in group.parameters)
        ends = np.cumsum([len(group.parameters) for group in groups]).tolist()
        self.group_slices = tuple(zip([0, *ends], ends))
        # Mapped over parameters: a loop nests one call for each, and hundreds exceed a limit.
        self.for_each = ops.HyperMap()
        # Names must differ where several optimizers are compiled into one graph.
        owner = self.parameters[0].name
        self.learning_rates = ms.ParameterTuple(
            [_number(lr, f"{name}_lr_{i}.{owner}") for i, lr in enumerate(self.base_lrs)]
        )
        self.step_count = _number(0.0, f"{name}_step.{owner}")
        counters = [] if self.factors is None else list(self.factors.get_parameters())
        for counter in counters:
            counter.name = f"{name}_{counter.name}.{owner}"
        self.counters = (self.step_count, *counters)
        self.slots = tuple(
            ms.ParameterTuple(
                [
                    Parameter(
                        ops.zeros(p.shape, ms.float32), name=f"{slot}.{p.name}", requires_grad=False
                    )
                    for p in self.parameters
                ]
            )
            for slot in rule.slots
        )

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Update every parameter once.

        Args:
            gradients: one per entry of `parameters`, in the same order and of the same shape.

        Returns:
            A scalar; the caller must depend on it, or the compiler drops the updates.
        """
        step = self.step_count + 1
        factors = ()
        if self.factors is not None:
            factors = self.factors(ops.cast(step, ms.float64))
        done = ops.assign(self.step_count, step)
        for i in range(len(self.decays)):
            done = ops.depend(done, self._move_group(i, factors, gradients))
        return done

    def _move_group(
        self, i: int, factors: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        first, end = self.group_slices[i]
        move = ops.partial(self.move, (self.learning_rates[i],) + factors, self.decays[i])
        gradients, parameters = gradients[first:end], self.parameters[first:end]
        if len(self.slots) == 1:
            return self.for_each(move, gradients, parameters, self.slots[0][first:end])
        return self.for_each(
            move, gradients, parameters, self.slots[0][first:end], self.slots[1][first:end]
        )

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group for the next steps, without recompilation."""
        for parameter, rate in zip(self.learning_rates, rates):
            ops.assign(parameter, Tensor(rate, ms.float32))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy the state for a checkpoint: the arrays of the rule, by name, and the step count."""
        return {name: parameter.asnumpy().copy() for name, parameter in self._state().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: names or shapes differ from this optimizer's.
        """
        restore_parameters(self._state(), state, self.rule_name)

    def _state(self) -> dict[str, Parameter]:
        arrays = [each for slot in self.slots for each in slot]
        return {parameter.name: parameter for parameter in (*self.counters, *arrays)}


def _number(value: float, name: str) -> Parameter:
    return Parameter(Tensor(value, ms.float32), name=name, requires_grad=False)
