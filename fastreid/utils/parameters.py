"""Parameters that change for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mindspore import Parameter, ops


@contextmanager
def restored(parameters: Sequence[Parameter]) -> Iterator[None]:
    """Give every parameter its present value back when the block ends, however it ends.

    Args:
        parameters: of any shapes; a second copy of them lives as long as the block.
    """
    saved = [parameter.value().copy() for parameter in parameters]
    try:
        yield
    finally:
        for parameter, value in zip(parameters, saved):
            ops.assign(parameter, value)
