"""What the translations share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from ..mindir import Node, Shape
from ..onnx_graph import OnnxGraph, OnnxTensor, Size, Value

Translation = Callable[[Node, "list[Value]", OnnxGraph], Value]

# MindSpore's numbers of types -> NumPy's types.
DTYPES = {
    30: np.bool_,
    34: np.int32,
    35: np.int64,
    42: np.float16,
    43: np.float32,
    44: np.float64,
}


def dtype_of(values: Sequence[Value]) -> np.dtype:
    """Return the type in which an operator computes: that of its first tensor of floats.

    Without any, it is that of its first tensor or array, int64 for sizes and float32 for numbers.
    """
    for value in values:
        if isinstance(value, (OnnxTensor, np.ndarray)) and value.dtype.kind == "f":
            return value.dtype
    for value in values:
        if isinstance(value, (OnnxTensor, np.ndarray)):
            return value.dtype
    return np.dtype(np.int64 if any(isinstance(v, Size) for v in values) else np.float32)


def result(
    node: Node, name: str, dtype: np.dtype | None = None, *, shape: Shape | None = None
) -> OnnxTensor:
    """Return the tensor of a node that was added to the graph.

    Args:
        node: the primitive.
        name: name of the ONNX tensor.
        dtype: its type; None: float32.
        shape: its sizes as far as they follow from the inputs, for those that the file does not
            give; None: unknown.
    """
    return OnnxTensor(name, _combined(node.shape, shape), np.dtype(dtype or np.float32))


def _combined(first: Shape | None, second: Shape | None) -> Shape | None:
    if first is None or second is None or len(first) != len(second):
        return first if second is None else second
    return tuple(b if a < 0 else a for a, b in zip(first, second))


def broadcast_shape(values: Sequence[Value]) -> Shape | None:
    """Return the shape of an operation element by element; None if it is unknown."""
    shapes = [getattr(value, "shape", ()) for value in values if not isinstance(value, Size)]
    if None in shapes:
        return None
    length = max(map(len, shapes), default=0)
    padded = [(1,) * (length - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_one_size(sizes) for sizes in zip(*padded))


def _one_size(sizes: Sequence[int]) -> int:
    largest = max(sizes)
    # An unknown size beside sizes of 1 stays unknown.
    return -1 if largest == 1 and -1 in sizes else largest


def known(value: Value, what: str) -> Any:
    """Return a value that must be known at export.

    Raises:
        ValueError: if it is computed by the network.
    """
    if isinstance(value, (OnnxTensor, Size)):
        raise ValueError(f"its {what} depends on the images")
    return value


def as_ints(value: Value, what: str) -> tuple[int, ...]:
    """Return whole numbers that must be known at export, one or several.

    Raises:
        ValueError: if they are computed by the network.

    Examples:
        >>> import numpy as np
        >>> from fastreid.export.operators.common import as_ints
        >>> as_ints(2, "stride"), as_ints(np.array([2, 3]), "stride")
        ((2,), (2, 3))
    """
    if isinstance(value, np.ndarray):
        value = tuple(int(each) for each in value.reshape(-1))
    values = value if isinstance(value, tuple) else (value,)
    return tuple(int(known(each, what)) for each in values)
