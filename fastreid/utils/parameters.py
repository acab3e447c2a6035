"""Parameters that change for a while, and parameters of several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from mindspore import Parameter, Tensor, ops

from . import comm

# Parameters travel together in messages of at least so many numbers.
_NUMBERS_PER_MESSAGE = 2**22


@contextmanager
def restored(parameters: Sequence[Parameter]) -> Iterator[None]:
    """Give every parameter its present value back when the block ends, however it ends.

    Args:
        parameters: of any shapes; a second copy of them lives as long as the block.
    """
    # Tensor.copy divides by one, which takes five times as long.
    saved = [ops.deepcopy(parameter.value()) for parameter in parameters]
    try:
        yield
    finally:
        for parameter, value in zip(parameters, saved):
            ops.assign(parameter, value)


def broadcast_parameters(parameters: Sequence[Parameter]) -> None:
    """Give every process the values of rank 0.

    Args:
        parameters: float32, of any shapes, the same ones on all processes.
    """
    if comm.get_world_size() == 1:
        return
    waiting: list[Parameter] = []
    for place, parameter in enumerate(parameters):
        waiting.append(parameter)
        is_last = place == len(parameters) - 1
        if is_last or sum(each.size for each in waiting) >= _NUMBERS_PER_MESSAGE:
            values = comm.broadcast(np.concatenate([each.asnumpy().ravel() for each in waiting]))
            ends = np.cumsum([each.size for each in waiting])
            for each, value in zip(waiting, np.split(values, ends[:-1])):
                ops.assign(each, Tensor(value.reshape(each.shape)))
            waiting = []
