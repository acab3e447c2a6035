"""Element by element: sums, products, activations, matrix products; and sizes."""

from __future__ import annotations

import operator
from typing import Any, Callable

import numpy as np

from ..mindir import Node
from ..onnx_graph import OnnxGraph, OnnxTensor, Size, Value
from .common import Translation, broadcast_shape, dtype_of, known, result

# Primitives with an ONNX operator of the same inputs.
_SAME = {
    "Abs": "Abs",
    "Add": "Add",
    "Div": "Div",
    "Equal": "Equal",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "Log": "Log",
    "Maximum": "Max",
    "Minimum": "Min",
    "Mul": "Mul",
    "Muls": "Mul",
    "Neg": "Neg",
    "Pow": "Pow",
    "ReLU": "Relu",
    "RealDiv": "Div",
    "Reciprocal": "Reciprocal",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Sqrt": "Sqrt",
    "Sub": "Sub",
    "Tanh": "Tanh",
}


def _same(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    dtype = dtype_of(inputs)
    names = [graph.tensor(value, dtype) for value in inputs]
    name = graph.add(_SAME[node.operator], names)
    if node.operator == "Equal":
        dtype = np.dtype(np.bool_)
    return result(node, name, dtype, shape=broadcast_shape(inputs))


def _with_scaled_other(sign: str) -> Translation:
    """Translate ``x + alpha * y``, as AddExt and SubExt compute it."""

    def translate(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
        x, y, alpha = inputs
        dtype = dtype_of(inputs)
        names = [graph.tensor(value, dtype) for value in (x, y)]
        if known(alpha, "factor alpha") != 1:
            names[1] = graph.add("Mul", [names[1], graph.tensor(alpha, dtype)])
        return result(node, graph.add(sign, names), dtype)

    return translate


def _silu(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x = graph.tensor(inputs[0])
    name = graph.add("Mul", [x, graph.add("Sigmoid", [x])])
    return result(node, name, shape=inputs[0].shape)


def _square(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x = graph.tensor(inputs[0])
    return result(node, graph.add("Mul", [x, x]))


def _rsqrt(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    root = graph.add("Sqrt", [graph.tensor(inputs[0])])
    return result(node, graph.add("Reciprocal", [root]))


def _hard_swish(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    return result(node, graph.add("HardSwish", [graph.tensor(inputs[0])]))


def _hard_sigmoid(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x = graph.tensor(inputs[0])
    return result(node, graph.add("HardSigmoid", [x], alpha=1 / 6, beta=0.5))


def _gelu(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """The approximation of GELU by tanh (Hendrycks and Gimpel, 2016)."""
    x = graph.tensor(inputs[0])
    cube = graph.add("Pow", [x, graph.tensor(3.0)])
    inner = graph.add("Add", [x, graph.add("Mul", [cube, graph.tensor(0.044715)])])
    scaled = graph.add("Mul", [inner, graph.tensor(float(np.sqrt(2 / np.pi)))])
    bend = graph.add("Tanh", [scaled])
    half = graph.add("Mul", [x, graph.tensor(0.5)])
    return result(node, graph.add("Mul", [half, graph.add("Add", [bend, graph.tensor(1.0)])]))


def _clip(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, low, high = inputs
    dtype = dtype_of(inputs)
    limits = ["" if limit is None else graph.tensor(limit, dtype) for limit in (low, high)]
    if all(getattr(limit, "shape", ()) == () for limit in (low, high)):
        return result(node, graph.add("Clip", [graph.tensor(x), *limits]), dtype, shape=x.shape)
    name = graph.tensor(x)
    for operator_of_limit, limit in zip(("Max", "Min"), limits):
        name = graph.add(operator_of_limit, [name, limit]) if limit else name
    return result(node, name, dtype)


def _relu6(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    return _clip(node, [inputs[0], 0.0, 6.0], graph)


def _matmul(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    names = []
    for value, is_transposed in zip(inputs[:2], [*inputs[2:], False, False]):
        name = graph.tensor(value)
        names.append(_transposed(value, name, graph) if is_transposed else name)
    return result(node, graph.add("MatMul", names), dtype_of(inputs))


def _transposed(value: Value, name: str, graph: OnnxGraph) -> str:
    """Exchange the last two axes."""
    if value.shape is None:
        raise ValueError("the number of dimensions of a factor is unknown")
    order = [*range(len(value.shape))]
    order[-2:] = order[:-3:-1]
    return graph.add("Transpose", [name], perm=order)


def _dense(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """X w^T + b."""
    x, weight, bias = inputs
    factor = _transposed(weight, graph.tensor(weight), graph)
    product = graph.add("MatMul", [graph.tensor(x), factor])
    if bias is not None:
        product = graph.add("Add", [product, graph.tensor(bias)])
    return result(node, product)


_ON_SIZES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "ScalarAdd": (operator.add, "Add"),
    "ScalarSub": (operator.sub, "Sub"),
    "ScalarMul": (operator.mul, "Mul"),
    "ScalarDiv": (operator.truediv, "Div"),
    "ScalarFloorDiv": (operator.floordiv, "Div"),
}


def _on_sizes(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Calculate with sizes, which are numbers where they are known."""
    calculate, onnx_operator = _ON_SIZES[node.operator]
    if not any(isinstance(value, (Size, OnnxTensor)) for value in inputs):
        return calculate(*inputs)
    if node.operator == "ScalarDiv" or not all(isinstance(v, (Size, int)) for v in inputs):
        dtype = np.dtype(np.float32)
        name = graph.add(onnx_operator, [graph.tensor(value, dtype) for value in inputs])
        return OnnxTensor(name, (1,), dtype)
    return Size(graph.add(onnx_operator, [graph.sizes([value]) for value in inputs]))


OPERATORS: dict[str, Translation] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_ON_SIZES, _on_sizes),
    "AddExt": _with_scaled_other("Add"),
    "SubExt": _with_scaled_other("Sub"),
    "BatchMatMul": _matmul,
    "ClampScalar": _clip,
    "ClampTensor": _clip,
    "Dense": _dense,
    "GeLU": _gelu,
    "HSigmoid": _hard_sigmoid,
    "HSwish": _hard_swish,
    "MatMul": _matmul,
    "MatMulExt": _matmul,
    "ReLU6": _relu6,
    "Rsqrt": _rsqrt,
    "SiLU": _silu,
    "Square": _square,
}
