"""Weights in float16, with everything that sums up many values left in float32."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

# Sums over maps and channels, and quotients, lose too much in float16.
_KEPT = [
    "Clip",
    "Div",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "Pow",
    "ReduceMean",
    "ReduceSum",
    "Softmax",
    "Sqrt",
    "Sub",
]


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights of convolutions and norms as float16; input and output stay float32."""
    converted = convert_float_to_float16(model, keep_io_types=True, op_block_list=_KEPT)
    nodes = _in_order(converted.graph)
    del converted.graph.node[:]
    converted.graph.node.extend(nodes)
    return converted


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Sort nodes so that each stands after those that make its inputs."""
    made = {each.name for each in (*graph.input, *graph.initializer)} | {""}
    waiting, done = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        if not ready:
            raise ValueError(f"The inputs of {waiting[0].name} are not made by any operator.")
        for node in ready:
            made.update(node.output)
        done += ready
        waiting = [node for node in waiting if not made.issuperset(node.output)]
    return done
