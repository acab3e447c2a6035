"""The memory that a compiled graph keeps, measured by the allocator of glibc."""

from typing import Any

import mindspore as ms
import pytest
from mindspore import nn

from benchmarks.steps.stepper import allocated_gib

GLIBC = pytest.mark.skipif(not allocated_gib(), reason="it asks glibc's allocator")


def kept_by(graph: nn.Cell, *inputs: Any) -> int:
    """Compile and run a cell in graph mode, and count the bytes that it then keeps.

    MindSpore's pool takes memory in blocks of a GiB, so a graph with as large results must have run
    before.
    """
    ms.set_context(mode=ms.GRAPH_MODE)
    before = _bytes_in_use()
    graph(*inputs)
    return _bytes_in_use() - before


def _bytes_in_use() -> int:
    return round(sum(allocated_gib().values()) * 2**30)
