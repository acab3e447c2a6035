"""Sums, means and maxima over axes; softmax; global pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..mindir import Node
from ..onnx_graph import OnnxGraph, OnnxTensor, Value
from .common import Translation, as_ints, dtype_of, known, result

_REDUCTIONS = {
    "MeanExt": "ReduceMean",
    "ReduceMax": "ReduceMax",
    "ReduceMean": "ReduceMean",
    "ReduceMin": "ReduceMin",
    "ReduceSum": "ReduceSum",
    "SumExt": "ReduceSum",
}


def _reduction(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, axes = inputs[:2]
    operator = _REDUCTIONS[node.operator]
    names = [graph.tensor(x)]
    attributes: dict[str, Any] = {"keepdims": int(known(inputs[2], "option keep_dims"))}
    axes = None if axes is None or axes == () else as_ints(axes, "axis")
    if axes is not None and operator == "ReduceSum":
        # In this operator set, only the sum takes its axes as an input.
        names.append(graph.constant(np.array(axes, np.int64)))
    elif axes is not None:
        attributes["axes"] = list(axes)
    return result(node, graph.add(operator, names, **attributes), dtype_of(inputs))


def _softmax(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    axes = as_ints(inputs[1], "axis")
    if len(axes) != 1:
        raise ValueError(f"it has several axes, {axes}")
    return result(node, graph.add("Softmax", [graph.tensor(inputs[0])], axis=axes[0]))


def _adaptive_pool(kind: str) -> Translation:
    """Translate a pooling to a map of given size; its windows must be equal."""

    def translate(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
        x, size = inputs[0], as_ints(inputs[1], "output size")
        if set(size) == {1}:
            name = graph.add(f"Global{kind}", [graph.tensor(x)])
        else:
            stride = _equal_windows(x, size)
            name = graph.add(kind, [x.name], kernel_shape=stride, strides=stride)
        pooled = OnnxTensor(name, None if x.shape is None else (*x.shape[:-2], *size))
        # The maximum also returns where it was found, which inference does not use.
        return (pooled, None) if kind == "MaxPool" else pooled

    return translate


def _equal_windows(x: OnnxTensor, size: tuple[int, ...]) -> list[int]:
    last = x.shape[-2:] if x.shape is not None else (-1, -1)
    if -1 in last or any(have % want for have, want in zip(last, size)):
        raise ValueError(f"maps of {last} cannot be divided into {size} equal windows")
    return [have // want for have, want in zip(last, size)]


OPERATORS: dict[str, Translation] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "AdaptiveAvgPool2D": _adaptive_pool("AveragePool"),
    "AdaptiveMaxPool2D": _adaptive_pool("MaxPool"),
    "Softmax": _softmax,
}
