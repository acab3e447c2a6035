"""One cell for all optimizers that are defined by an update rule."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from ..param_groups import ParamGroup
from .grouped import GroupedOptimizer
from .rules import RULES


class Adaptive(GroupedOptimizer):
    """AdamW, RMSprop, Adagrad, Adamax, NAdam, RAdam or LAMB, with the interface of `SGD`.

    Args:
        groups: parameters with their base rates and decays.
        name: a name of `RULES`.

    Attributes:
        rule_name: the name.

    Raises:
        KeyError: there is no such rule.
    """

    def __init__(self, groups: Sequence[ParamGroup], *, name: str) -> None:
        super().__init__(groups, title=name)
        self.rule_name = name
        rule = RULES[name]
        self.factors, self.move = rule.factors() if rule.factors else None, rule.mover()
        self.learning_rates = self.new_learning_rates(name)
        self.step_count = self.number(0.0, f"{name}_step")
        counters = [] if self.factors is None else list(self.factors.get_parameters())
        for counter in counters:
            counter.name = f"{name}_{counter.name}.{self.parameters[0].name}"
        self.counters = (self.step_count, *counters)
        self.slots = tuple(self.new_slot(slot) for slot in rule.slots)

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

    def states(self) -> Sequence[Parameter]:
        """List the step count, and the arrays of the rule."""
        return [*self.counters, *(each for slot in self.slots for each in slot)]
