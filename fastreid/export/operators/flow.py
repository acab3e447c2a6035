"""Primitives that move values without computing: loads, tuples, order of execution."""

from __future__ import annotations

import numpy as np
from onnx import helper

from ..mindir import Node
from ..onnx_graph import OnnxGraph, Value
from .common import DTYPES, Translation, result


def _first(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    del node, graph
    return inputs[0]


def _nothing(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Order of side effects: inference has none."""
    del node, inputs, graph
    return None


def _tuple(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    del node, graph
    return tuple(inputs)


def _item(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    del node, graph
    return inputs[0][inputs[1]]


def _cast(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    dtype = np.dtype(DTYPES[inputs[1]])
    if isinstance(inputs[0], (int, float, np.ndarray)):
        return np.asarray(inputs[0]).astype(dtype)
    number = helper.np_dtype_to_tensor_dtype(dtype)
    return result(node, graph.add("Cast", [graph.tensor(inputs[0])], to=number), dtype)


OPERATORS: dict[str, Translation] = {
    **dict.fromkeys(("Load", "Depend", "Identity", "StopGradient", "TensorMove"), _first),
    "UpdateState": _nothing,
    "MakeTuple": _tuple,
    "TupleGetItem": _item,
    "Cast": _cast,
}
