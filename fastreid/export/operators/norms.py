"""Batch, instance, group and layer norm."""

from __future__ import annotations

import numpy as np

from ..mindir import Node
from ..onnx_graph import OnnxGraph, OnnxTensor, Value
from .common import Translation, known


def _batch_norm(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    x, scale, shift, mean, variance, by_batch, epsilon = inputs[:7]
    if known(by_batch, "mode"):
        return (_instance_norm(inputs, graph),)
    arguments = [graph.tensor(value) for value in (x, scale, shift, mean, variance)]
    name = graph.add("BatchNormalization", arguments, epsilon=known(epsilon, "epsilon"))
    return (OnnxTensor(name, x.shape),)


def _instance_norm(inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Normalize (1, N * C, H, W) by its own statistics, as the instance norm here is computed."""
    x, scale, shift = inputs[:3]
    epsilon = inputs[6]
    if x.shape is None or x.shape[0] != 1:
        raise ValueError("it normalizes by statistics of the batch; set the model to evaluation")
    names = [graph.tensor(value) for value in (x, scale, shift)]
    own = [_before(names[0], "Reshape", graph), *(_before(n, "Tile", graph) for n in names[1:])]
    if all(own):
        # (N, C, H, W) in one operator; what follows restores this shape in any case.
        names = [name for name in own if name]
    normalized = graph.add("InstanceNormalization", names, epsilon=epsilon)
    return OnnxTensor(normalized, None)


def _before(name: str, operator: str, graph: OnnxGraph) -> str | None:
    """Return the input of the operator that made a tensor; None if it is another operator."""
    producer = graph.producers.get(name)
    return producer.input[0] if producer is not None and producer.op_type == operator else None


def _group_norm(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Normalize each group as one channel of an instance norm; then scale and shift channels."""
    x, groups, scale, shift, epsilon = inputs[:5]
    groups = known(groups, "number of groups")
    rows = graph.add("Reshape", [x.name, graph.sizes((0, groups, -1))])
    ones, zeros = (graph.constant(np.full(groups, v, np.float32)) for v in (1, 0))
    normalized = graph.add("InstanceNormalization", [rows, ones, zeros], epsilon=epsilon)
    maps = graph.add("Reshape", [normalized, graph.add("Shape", [x.name])])
    shape = graph.sizes((-1, *[1] * (len(x.shape) - 2)))
    by_channel = [graph.add("Reshape", [graph.tensor(v), shape]) for v in (scale, shift)]
    scaled = graph.add("Mul", [maps, by_channel[0]])
    return (OnnxTensor(graph.add("Add", [scaled, by_channel[1]]), x.shape),)


def _layer_norm(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    x, scale, shift, axis, _, epsilon = inputs[:6]
    names = [graph.tensor(value) for value in (x, scale, shift)]
    options = {"axis": known(axis, "axis"), "epsilon": known(epsilon, "epsilon")}
    return (OnnxTensor(graph.add("LayerNormalization", names, **options), x.shape),)


OPERATORS: dict[str, Translation] = {
    "BatchNorm": _batch_norm,
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
}
