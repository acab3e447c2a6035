"""Sums, means and maxima over axes; softmax; global pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..mindir import Node, Shape
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
_EXTREMES = {"ArgMaxWithValue": "ReduceMax", "ArgMinWithValue": "ReduceMin"}


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


def _extreme_with_place(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Return the largest or smallest value; inference does not use its place, the first output."""
    x, axis = inputs[0], known(inputs[1], "axis")
    keeps_axis = int(known(inputs[2], "option keep_dims"))
    operator = _EXTREMES[node.operator]
    name = graph.add(operator, [graph.tensor(x)], axes=[axis], keepdims=keeps_axis)
    return None, OnnxTensor(name, _without(x.shape, axis, keeps_axis))


def _without(shape: Shape | None, axis: int, keeps_axis: int) -> Shape | None:
    if shape is None:
        return None
    axis %= len(shape)
    return (*shape[:axis], *[1] * keeps_axis, *shape[axis + 1 :])


def _softmax(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    axes = as_ints(inputs[1], "axis")
    if len(axes) != 1:
        raise ValueError(f"it has several axes, {axes}")
    return result(node, graph.add("Softmax", [graph.tensor(inputs[0])], axis=axes[0]))


def _adaptive_pool(kind: str) -> Translation:
    """Translate a pooling to a map of given size; its windows must be equal."""

    def translate(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
        x = inputs[0]
        given = inputs[1] if len(inputs) > 1 else node.attributes["output_size"]
        size = as_ints(given, "output size")
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
    **dict.fromkeys(_EXTREMES, _extreme_with_place),
    "AdaptiveAvgPool2D": _adaptive_pool("AveragePool"),
    "AdaptiveMaxPool2D": _adaptive_pool("MaxPool"),
    "Softmax": _softmax,
}
