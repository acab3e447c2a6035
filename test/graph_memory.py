"""The memory that a compiled graph keeps, measured by the allocator of glibc."""

import ctypes
from typing import Any

import mindspore as ms
import pytest
from mindspore import nn

GLIBC = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="it asks glibc's allocator"
)


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
    mallinfo = ctypes.CDLL(None).mallinfo2
    # Ten sizes: the fifth is of chunks that are mapped each, the eighth of all others.
    mallinfo.restype = type("_", (ctypes.Structure,), {"_fields_": [("_", ctypes.c_size_t * 10)]})
    found = mallinfo()._
    return found[4] + found[7]
