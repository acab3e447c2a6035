"""Translate the primitives of a MINDIR graph to ONNX operators, one after another."""

from __future__ import annotations

from pathlib import Path

import onnx

from fastreid.utils.checkpoint.names import to_torch_name

from .mindir import Node, read_mindir
from .onnx_graph import BATCH, OnnxGraph, OnnxTensor, Value, make_model
from .operators import OPERATORS

INPUT = "images"
OUTPUT = "features"


def mindir_to_onnx(path: Path) -> onnx.ModelProto:
    """Translate a MINDIR file with one input and one output.

    Args:
        path: a file of `mindspore.export`; its input is (N, 3, H, W) with any N.

    Returns:
        A model of the input "images" and the output "features".

    Raises:
        ValueError: if the network has an operator that has no translation; the message names it and
            the cell.
    """
    source = read_mindir(path)
    graph = OnnxGraph()
    values: dict[str, Value] = {}
    for name, array in source.parameters.items():
        short = to_torch_name(name.rpartition(":")[2].partition(".")[2])
        values[name] = OnnxTensor(graph.constant(array, short), array.shape, array.dtype)
    values.update({name: OnnxTensor(INPUT, shape) for name, shape in source.inputs.items()})
    for node in source.nodes:
        values[node.output] = _translate(node, values, graph)
    output = values[source.output]
    if not isinstance(output, OnnxTensor):
        raise ValueError("The network returns several tensors; only one can be exported.")
    (shape,) = source.inputs.values()
    return make_model(graph, inputs={INPUT: (BATCH, *shape[1:])}, output=(OUTPUT, output))


def _translate(node: Node, values: dict[str, Value], graph: OnnxGraph) -> Value:
    if node.operator == "Constant":
        return node.attributes["value"]
    translate = OPERATORS.get(node.operator)
    where = f" of {node.scope}" if node.scope else ""
    if translate is None:
        raise ValueError(
            f"The operator {node.operator}{where} has no translation to ONNX. Replace it in the "
            "network, or add it to fastreid/export/operators."
        )
    graph.scope = node.scope
    try:
        return translate(node, [values[name] for name in node.inputs], graph)
    except ValueError as error:
        raise ValueError(f"{node.operator}{where} cannot be exported: {error}") from error
