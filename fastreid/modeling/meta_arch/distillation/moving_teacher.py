"""A teacher that follows its student: a moving average of the student's weights.

Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

# Mapped over parameters: a loop over hundreds of them exceeds the depth of calls that compile.
_move = ops.MultitypeFuncGraph("move_teacher")
_STARTED = "is_started"


@_move.register("Tensor", "Tensor", "Tensor")
def _move_one(share: Tensor, mine: Parameter, students: Parameter) -> Tensor:
    students = ops.stop_gradient(students)
    return ops.assign(mine, mine * (1 - share) + students * share)


class MovingTeacher(nn.Cell):
    """Moves the weights and running statistics of a teacher towards those of the student.

    Both methods are for the compiled training step. The state, which a resumed run needs, is not
    part of the student's weights.

    Args:
        teacher: the model that moves.
        student: a model with the same parameters, by name and order.
        momentum: share of the teacher's old weights in its new ones, from 0 to 1.
        passes_per_update: number of forward passes for each update of the student. The teacher
            moves in the first of them, so that all compare with the same teacher.
    """

    def __init__(
        self, teacher: nn.Cell, student: nn.Cell, *, momentum: float, passes_per_update: int = 1
    ) -> None:
        super().__init__(auto_prefix=False)
        mine, students = list(teacher.get_parameters()), list(student.get_parameters())
        self._names = tuple(parameter.name for parameter in students)
        self.mine, self.students = ms.ParameterTuple(mine), ms.ParameterTuple(students)
        self.share = Tensor(1 - momentum, ms.float32)
        self.is_started = Parameter(
            Tensor(0.0, ms.float32), name="moving_teacher.is_started", requires_grad=False
        )
        self.passes_per_update = passes_per_update
        # A checkpoint is written between updates, where this is 0.
        self.passes = Parameter(
            Tensor(0, ms.int32), name="moving_teacher.passes", requires_grad=False
        )
        self.for_each = ops.HyperMap()

    def start(self, images: Tensor) -> Tensor:
        """Copy the student at the first call; it may have got weights since it was built.

        Args:
            images: any tensor.

        Returns:
            The same; what is computed from it comes after the copy.
        """
        is_started = self.is_started.value()
        moved = self._moved(1 - is_started)
        started = ops.assign(self.is_started, ops.depend(ops.ones_like(is_started), moved))
        return ops.depend(images, started)

    def move(self, images: Tensor) -> Tensor:
        """Set weights <- momentum * weights + (1 - momentum) * the student's, once an update.

        Args:
            images: any tensor.

        Returns:
            The same; what is computed from it comes after the move, and the move after it.
        """
        share = ops.depend(self.share, images)
        if self.passes_per_update > 1:
            passes = self.passes.value()
            share = share * (passes == 0).astype(ms.float32)
            following = (ops.depend(passes, share) + 1) % self.passes_per_update
            share = ops.depend(share, ops.assign(self.passes, following))
        return ops.depend(images, self._moved(share))

    def _moved(self, share: Tensor) -> tuple[Tensor, ...]:
        return self.for_each(ops.partial(_move, share), self.mine, self.students)

    def state_dict(self) -> dict[str, Any]:
        """Copy the weights of the teacher by the student's names, and whether it has started."""
        weights = {name: each.asnumpy().copy() for name, each in zip(self._names, self.mine)}
        return {**weights, _STARTED: float(self.is_started.asnumpy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: names or shapes differ from this teacher's; nothing changes then.
        """
        want = {name: tuple(each.shape) for name, each in zip(self._names, self.mine)}
        have = {name: np.shape(value) for name, value in state.items() if name != _STARTED}
        if want != have or _STARTED not in state:
            differing = sorted(set(want.items()) ^ set(have.items()))
            raise ValueError(
                "The moving teacher (KD.EMA) of the checkpoint has other weights than this model: "
                f"it differs in {differing[:5]}. Resume with the configuration of the run."
            )
        for name, each in zip(self._names, self.mine):
            ops.assign(each, Tensor(np.asarray(state[name]), each.dtype))
        ops.assign(self.is_started, Tensor(state[_STARTED], ms.float32))
