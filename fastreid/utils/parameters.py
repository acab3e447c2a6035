"""Restore parameters after a temporary change, and broadcast them to all processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from mindspore import Parameter, Tensor, ops

from . import comm

# Parameters are grouped into messages of at least this many elements.
_NUMBERS_PER_MESSAGE = 2**22


@contextmanager
def restored(parameters: Sequence[Parameter]) -> Iterator[None]:
    """Restore the values of parameters at the end of the block, also after an error.

    Args:
        parameters: parameters of any shapes; a copy of their values is kept during the block.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.utils.parameters import restored
        >>> weight = ms.Parameter(ms.Tensor([1.0, 2.0]), name="weight")
        >>> with restored([weight]):
        ...     _ = ms.ops.assign(weight, ms.Tensor([0.0, 0.0]))
        >>> weight.asnumpy().tolist()
        [1.0, 2.0]
    """
    # Tensor.copy divides by one, which takes five times as long.
    saved = [ops.deepcopy(parameter.value()) for parameter in parameters]
    try:
        yield
    finally:
        for parameter, value in zip(parameters, saved):
            ops.assign(parameter, value)


def broadcast_parameters(parameters: Sequence[Parameter]) -> None:
    """Overwrite parameters in every process with their values of rank 0.

    Args:
        parameters: float32 or int32 parameters of any shapes, the same list in all processes.
    """
    if comm.get_world_size() == 1:
        return
    waiting: list[Parameter] = []
    for place, parameter in enumerate(parameters):
        waiting.append(parameter)
        following = parameters[place + 1 : place + 2]
        is_last = not following or following[0].dtype != parameter.dtype
        if is_last or sum(each.size for each in waiting) >= _NUMBERS_PER_MESSAGE:
            values = comm.broadcast(np.concatenate([each.asnumpy().ravel() for each in waiting]))
            ends = np.cumsum([each.size for each in waiting])
            for each, value in zip(waiting, np.split(values, ends[:-1])):
                ops.assign(each, Tensor(value.reshape(each.shape)))
            waiting = []
