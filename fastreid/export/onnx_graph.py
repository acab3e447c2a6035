"""An ONNX graph under construction, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .mindir import Shape

OPSET = 17
# The version of the file format that goes with this operator set (ONNX 1.12).
IR_VERSION = 8
# Name of the number of images, under which programs look for it.
BATCH = "batch"


class OnnxTensor(NamedTuple):
    """A tensor in the graph: its name, its sizes (-1: unknown; None: all) and its NumPy type."""

    name: str
    shape: Shape | None
    dtype: np.dtype = np.dtype(np.float32)


class Size(NamedTuple):
    """A size that is known at run time: the name of an int64 tensor of one element."""

    name: str


# What a value of the network becomes: a tensor in the graph, a size, a number, text, array or None,
# or a tuple of these.
Value = Any


@dataclass
class OnnxGraph:
    """Nodes and constants in order; each node has one name for all its outputs."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)
    producers: dict[str, onnx.NodeProto] = field(default_factory=dict)
    scope: str = ""
    _counts: dict[str, int] = field(default_factory=dict)
    _constants: dict[tuple, str] = field(default_factory=dict)

    def add(
        self, operator: str, inputs: Sequence[str], *, outputs: int = 1, **attributes: Any
    ) -> Any:
        """Append a node.

        Args:
            operator: name of the ONNX operator.
            inputs: names of its inputs.
            outputs: how many outputs it has.
            **attributes: its attributes.

        Returns:
            The name of its output, or a tuple of names if there are several.
        """
        base = self.unique_name(operator)
        names = [base] if outputs == 1 else [f"{base}_{i}" for i in range(outputs)]
        node = helper.make_node(operator, list(inputs), names, name=base, **attributes)
        self.nodes.append(node)
        self.producers.update(dict.fromkeys(names, node))
        return names[0] if outputs == 1 else tuple(names)

    def unique_name(self, word: str) -> str:
        """Return a name that begins with the cell that is being translated."""
        stem = f"{self.scope}.{word}" if self.scope else word
        count = self._counts[stem] = self._counts.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}_{count}"

    def constant(self, array: np.ndarray, name: str = "") -> str:
        """Store an array once and return its name."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        key = (array.dtype.str, array.shape, array.tobytes(), name)
        if key not in self._constants:
            self._constants[key] = name or self.unique_name("constant")
            self.initializers[self._constants[key]] = array
        return self._constants[key]

    def tensor(self, value: Value, dtype: np.dtype | None = None) -> str:
        """Return the name of a value as a tensor; numbers and arrays become constants.

        Args:
            value: a tensor, a size, a number or an array.
            dtype: type that the tensor must have; None: its own, and float32 for numbers.
        """
        if isinstance(value, (OnnxTensor, Size)):
            own = value.dtype if isinstance(value, OnnxTensor) else np.dtype(np.int64)
            if dtype is None or dtype == own:
                return value.name
            return self.add("Cast", [value.name], to=helper.np_dtype_to_tensor_dtype(dtype))
        if isinstance(value, np.ndarray):
            return self.constant(value if dtype is None else value.astype(dtype))
        if isinstance(value, (bool, int, float)):
            return self.constant(np.array(value, dtype or np.float32))
        raise ValueError(f"{value!r} is not a tensor.")

    def sizes(self, values: Sequence[Value]) -> str:
        """Return the name of an int64 tensor of sizes, of which some may be known at run time."""
        if all(isinstance(value, int) for value in values):
            return self.constant(np.array(values, np.int64))
        parts = [
            value.name if isinstance(value, Size) else self.constant(np.array([value], np.int64))
            for value in values
        ]
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0)

    def size_of(self, tensor: OnnxTensor, axis: int) -> Size | int:
        """Return a size of a tensor: a number if it is known."""
        if tensor.shape is not None and tensor.shape[axis] >= 0:
            return tensor.shape[axis]
        return Size(self.add("Shape", [tensor.name], start=axis, end=axis + 1 or None))

    def pruned(self, output: str) -> list[onnx.NodeProto]:
        """Return the nodes that the output depends on, in order."""
        needed, kept = {output}, []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed.update(node.input)
                kept.append(node)
        return kept[::-1]


def make_model(
    graph: OnnxGraph, *, inputs: dict[str, Sequence[Any]], output: tuple[str, OnnxTensor]
) -> onnx.ModelProto:
    """Make a model file in memory.

    Args:
        graph: the nodes.
        inputs: name of an input -> its sizes; a text is the name of a size known at run time.
        output: name of the output in the file, and the tensor.
    """
    name, tensor = output
    graph.nodes.append(helper.make_node("Identity", [tensor.name], [name], name="output"))
    nodes = graph.pruned(name)
    used = {each for node in nodes for each in node.input}
    sizes: list[Any] = [BATCH, *(tensor.shape or ())[1:]]
    proto = helper.make_graph(
        nodes,
        "fastreid",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, list(v)) for k, v in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(v, k) for k, v in graph.initializers.items() if k in used],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "acl-dgreid-mindspore"
    return model
