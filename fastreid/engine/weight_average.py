"""A moving average of the weights, which takes their place in evaluation and in checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from fastreid.solver.optim.grouped import restore_parameters
from fastreid.utils.checkpoint.release_names import is_auxiliary

_FLOATS = (ms.float16, ms.float32, ms.bfloat16)

# Mapped over parameters: a loop over hundreds of them exceeds the depth of calls that compile.
_move = ops.MultitypeFuncGraph("move_average")


@_move.register("Tensor", "Tensor", "Tensor")
def _move_one(share: Tensor, average: Parameter, weight: Parameter) -> Tensor:
    return ops.assign_add(average, (weight - average) * share)


class _Move(nn.Cell):
    """Moves averages towards weights."""

    def __init__(
        self, averages: tuple[Parameter, ...], weights: tuple[Parameter, ...], momentum: float
    ) -> None:
        super().__init__(auto_prefix=False)
        self.averages, self.weights = ms.ParameterTuple(averages), ms.ParameterTuple(weights)
        self.share = Tensor(1 - momentum, ms.float32)
        self.for_each = ops.HyperMap()

    def construct(self) -> Tensor:
        """Set average <- momentum * average + (1 - momentum) * weight."""
        moved = self.for_each(ops.partial(_move, self.share), self.averages, self.weights)
        return ops.depend(self.share, moved)


class WeightAverage:
    """Exponential moving average of all weights and running statistics of a model.

    Args:
        model: the model.
        momentum: share of the old average in the new one, from 0 to below 1.
    """

    def __init__(self, model: nn.Cell, *, momentum: float) -> None:
        # Counters, labels and stored features are not averaged.
        parameters = [each for each in model.get_parameters() if not is_auxiliary(each.name)]
        self._weights = tuple(each for each in parameters if each.dtype in _FLOATS)
        self._averages = tuple(
            Parameter(
                ops.deepcopy(weight.value()), name=f"average.{weight.name}", requires_grad=False
            )
            for weight in self._weights
        )
        self._move = _Move(self._averages, self._weights, momentum)
        self._is_started = False
        self._is_applied = False

    def start(self) -> None:
        """Begin with the present weights, unless a state was loaded."""
        if not self._is_started:
            for average, weight in zip(self._averages, self._weights):
                ops.assign(average, weight.value())
        self._is_started = True

    def update(self) -> None:
        """Move the average towards the present weights."""
        self._move()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Exchange the weights of the model and their average inside of a ``with`` block.

        What the block changes in the model, such as running statistics, changes the average.
        """
        if self._is_applied:
            yield
            return
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for average, weight in zip(self._averages, self._weights):
            kept = ops.deepcopy(weight.value())
            ops.assign(weight, average.value())
            ops.assign(average, kept)
        self._is_applied = not self._is_applied

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy the weights that training goes on with; call it while the average is applied."""
        assert self._is_applied, "a checkpoint holds the average in place of the weights"
        return {weight.name: weight.asnumpy().copy() for weight in self._averages}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned, after the model has got the average.

        Raises:
            ValueError: names or shapes differ from this model's.
        """
        mine = {weight.name: weight for weight in self._averages}
        restore_parameters(mine, state, "weight average")
        self._exchange()
        self._is_applied, self._is_started = False, True
