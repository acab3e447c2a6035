"""Read a MINDIR file: the primitives of a network, in the order of execution.

MindSpore writes a network as one flat graph of primitives. Every value has a name; a primitive has
attributes, the names of its inputs and of its output, and the cell that it was called in.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore.train import mind_ir_pb2

_DTYPES = {
    "FLOAT": np.float32,
    "FLOAT16": np.float16,
    "DOUBLE": np.float64,
    "INT64": np.int64,
    "INT32": np.int32,
    "BOOL": np.bool_,
    "UINT8": np.uint8,
}
_SEQUENCES = ("TUPLE", "LIST")
_REFERENCE = "REF::"
# "blocks-CellList" or "conv1-Conv2d": the name of a cell and its class.
_CELL = re.compile(r"(?P<name>.+)-\w+$")

# Sizes of a tensor, -1 where they are known at run time only.
Shape = tuple[int, ...]


class Node(NamedTuple):
    """A call of a primitive.

    Attributes:
        operator: name of the primitive, such as "Conv2D"; "Constant" for a constant.
        inputs: names of its inputs.
        output: name of its output.
        attributes: attributes of the primitive; of a constant its `value`.
        shape: shape of the output; None if it is a tuple, a number or unknown.
        scope: dotted name of the cell that called it, such as "backbone.conv1".
    """

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]
    shape: Shape | None
    scope: str


class MindirGraph(NamedTuple):
    """The content of a MINDIR file.

    Attributes:
        nodes: in the order of execution.
        parameters: name of the value -> array.
        inputs: name of the value -> shape, -1 for a size known at run time.
        output: name of the output.
    """

    nodes: tuple[Node, ...]
    parameters: dict[str, np.ndarray]
    inputs: dict[str, Shape]
    output: str


def read_mindir(path: Path) -> MindirGraph:
    """Read a file of `mindspore.export`.

    Raises:
        ValueError: if the graph calls other graphs, as with a loop or a branch on values, or has
            several outputs.
    """
    model = mind_ir_pb2.ModelProto()
    model.ParseFromString(path.read_bytes())
    if model.functions or len(model.graph.output) != 1:
        raise ValueError(
            "The network has branches or loops that depend on values, or several outputs; such a "
            "network cannot be written as one sequence of operators."
        )
    primitives = {primitive.name: primitive for primitive in model.primitives}
    return MindirGraph(
        tuple(_node(proto, primitives) for proto in model.graph.node),
        {proto.name: _array(proto) for proto in model.graph.parameter},
        {proto.name: tuple(proto.tensor[0].dims) for proto in model.graph.input},
        model.graph.output[0].name,
    )


def _node(proto: Any, primitives: dict[str, Any]) -> Node:
    own = {each.name: each for each in proto.attribute}
    if proto.op_type == "Constant":
        value = {"value": _value(own["value"])}
        return Node("Constant", (), proto.output[0], value, None, "")
    operator, attributes = proto.op_type, {}
    if operator.startswith(_REFERENCE):
        primitive = primitives[operator[len(_REFERENCE) :]]
        operator = primitive.op_type
        attributes = {each.name: _value(each) for each in primitive.attribute}
    shape = _shape(own["shape"]) if "shape" in own else None
    scope = _scope(proto.domain)
    return Node(operator, tuple(proto.input), proto.output[0], attributes, shape, scope)


def _shape(attribute: Any) -> Shape | None:
    if _kind(attribute) != "TENSORS" or len(attribute.tensors) != 1:
        return None
    sizes = tuple(attribute.tensors[0].dims)
    # -2 stands for a tensor of any number of dimensions.
    return None if -2 in sizes else sizes


def _scope(domain: str) -> str:
    """Return "backbone.conv1" for "Default/net-ACL/backbone-Router/conv1-MetaConv2d/Conv2D-op0"."""
    parts = [_CELL.match(part) for part in domain.split("/")[2:-1]]
    return ".".join(match["name"] for match in parts if match)


def _kind(attribute: Any) -> str:
    return mind_ir_pb2.AttributeProto.AttributeType.Name(attribute.type)


def _value(attribute: Any) -> Any:
    """Convert an attribute to a number, text, array, tuple or None."""
    kind = _kind(attribute)
    if kind in _SEQUENCES:
        return tuple(_item(each) for each in attribute.values)
    if kind == "TENSORS":
        return _array(attribute.tensors[0])
    if kind == "STRING":
        return attribute.s.decode()
    if kind == "BOOL":
        return bool(attribute.i)
    if kind == "FLOAT":
        return attribute.f
    if kind == "DOUBLE":
        return attribute.d
    if kind.startswith(("INT", "UINT")):
        return attribute.i
    return None


def _item(attribute: Any) -> Any:
    """Convert an item of a sequence, whose number or text is in a list of one."""
    kind = _kind(attribute)
    fields = {"FLOAT": "floats", "DOUBLE": "doubles", "STRING": "strings"}
    field = "ints" if kind.startswith(("INT", "UINT", "BOOL")) else fields.get(kind)
    if field is None or not getattr(attribute, field):
        return _value(attribute)
    value = getattr(attribute, field)[0]
    return value.decode() if kind == "STRING" else value


def _array(proto: Any) -> np.ndarray:
    kind = mind_ir_pb2.TensorProto.DataType.Name(proto.data_type)
    if kind not in _DTYPES:
        raise ValueError(f"A constant of type {kind} cannot be exported.")
    return np.frombuffer(proto.raw_data, _DTYPES[kind]).reshape(tuple(proto.dims))
