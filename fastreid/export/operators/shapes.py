"""Shapes: reshape, transpose, slices, concatenation, repetition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..mindir import Node
from ..onnx_graph import OnnxGraph, OnnxTensor, Size, Value
from .common import DTYPES, Translation, as_ints, dtype_of, known, result

# The end of a slice that reaches to the end of its axis.
_TO_THE_END = np.iinfo(np.int64).max


def _shape(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    x = inputs[0]
    if isinstance(x, np.ndarray):
        return x.shape
    if x.shape is None:
        raise ValueError("the number of dimensions is unknown")
    return tuple(graph.size_of(x, axis) for axis in range(len(x.shape)))


def _reshape(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, sizes = inputs
    if isinstance(sizes, OnnxTensor):
        shape, target = sizes.name, None
    else:
        unknown = [size for size in sizes if isinstance(size, Size)]
        if len(unknown) == 1 and -1 not in sizes:
            sizes = tuple(-1 if isinstance(size, Size) else size for size in sizes)
        shape = graph.sizes(sizes)
        target = tuple(-1 if isinstance(size, Size) else size for size in sizes)
    name = graph.add("Reshape", [graph.tensor(x), shape])
    return result(node, name, dtype_of(inputs), shape=target)


def _transpose(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    order = list(as_ints(inputs[1], "order of axes"))
    name = graph.add("Transpose", [graph.tensor(inputs[0])], perm=order)
    return result(node, name, dtype_of(inputs))


def _expand_dims(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    axes = graph.sizes(as_ints(inputs[1], "axis"))
    return result(node, graph.add("Unsqueeze", [graph.tensor(inputs[0]), axes]), dtype_of(inputs))


def _squeeze(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, axes = inputs[0], as_ints(inputs[1], "axis") if inputs[1] != () else ()
    names, shape = [graph.tensor(x)], None
    if axes:
        names.append(graph.sizes(axes))
        if x.shape is not None:
            dropped = {axis % len(x.shape) for axis in axes}
            shape = tuple(s for axis, s in enumerate(x.shape) if axis not in dropped)
    producer = graph.producers.get(names[0])
    if (
        producer is not None
        and producer.op_type == "Unsqueeze"
        and [*producer.input[1:]] == names[1:]
    ):
        return result(node, producer.input[0], dtype_of(inputs), shape=shape)
    return result(node, graph.add("Squeeze", names), dtype_of(inputs), shape=shape)


def _concat(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    parts, axis = (
        (inputs[0], inputs[1]) if isinstance(inputs[0], tuple) else (inputs[:-1], inputs[-1])
    )
    name = graph.add("Concat", [graph.tensor(part) for part in parts], axis=known(axis, "axis"))
    shapes = [part.shape for part in parts]
    shape = None
    if None not in shapes:
        own = [max(sizes) for sizes in zip(*shapes)]
        lengths = [sizes[axis] for sizes in shapes]
        own[axis] = -1 if -1 in lengths else sum(lengths)
        shape = tuple(own)
    return result(node, name, dtype_of(parts), shape=shape)


def _stack(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    axis = node.attributes.get("axis", 0)
    names = [graph.add("Unsqueeze", [graph.tensor(p), graph.sizes((axis,))]) for p in inputs[0]]
    return result(node, graph.add("Concat", names, axis=axis), dtype_of(inputs[0]))


def _unstack(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Divide into the entries of an axis, which is dropped."""
    x, axis = inputs[0], node.attributes.get("axis", 0)
    number = node.attributes.get("num") or (x.shape[axis] if x.shape is not None else -1)
    if number < 0:
        raise ValueError("the number of entries is unknown")
    shape = None
    if x.shape is not None:
        shape = tuple(s for index, s in enumerate(x.shape) if index != axis % len(x.shape))
    names = [
        graph.add("Squeeze", [part.name, graph.sizes((axis,))])
        for part in _parts(x, [1] * number, axis, graph)
    ]
    return tuple(OnnxTensor(name, shape, x.dtype) for name in names)


def _split(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Split into a number of equal parts."""
    x, axis, number = inputs
    whole = x.shape[axis] if x.shape is not None else -1
    if whole < 0:
        raise ValueError("the size that is split is unknown")
    return _parts(x, [whole // number] * number, axis, graph)


def _split_tensor(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Split into parts of a size; the last one may be smaller."""
    x, size, axis = inputs[:3]
    whole = x.shape[axis] if x.shape is not None else -1
    if whole < 0:
        raise ValueError("the size that is split is unknown")
    sizes = [min(size, whole - start) for start in range(0, whole, size)]
    return _parts(x, sizes, axis, graph)


def _split_with_size(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    x, sizes, axis = inputs[:3]
    return _parts(x, list(as_ints(sizes, "sizes")), axis, graph)


def _parts(x: OnnxTensor, sizes: list[int], axis: int, graph: OnnxGraph) -> Value:
    lengths = graph.sizes(sizes)
    if len(sizes) == 1:
        return (x,)
    names = graph.add("Split", [x.name, lengths], outputs=len(sizes), axis=axis)
    shapes: list[tuple[int, ...] | None] = [None] * len(sizes)
    if x.shape is not None:
        own = list(x.shape)
        for index, size in enumerate(sizes):
            own[axis] = size
            shapes[index] = tuple(own)
    return tuple(OnnxTensor(name, shape, x.dtype) for name, shape in zip(names, shapes))


def _strided_slice(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, begin, end, strides, *masks = inputs
    begin, end = (tuple(known(value, "range")) for value in (begin, end))
    begin_mask, end_mask, ellipsis, new_axis, shrink = masks
    if ellipsis or new_axis:
        raise ValueError("an ellipsis or a new axis in a slice is not supported")
    axes = range(len(begin))
    dropped = [axis for axis in axes if shrink >> axis & 1]
    start = [0 if begin_mask >> axis & 1 else begin[axis] for axis in axes]
    stop = [_TO_THE_END if end_mask >> axis & 1 else end[axis] for axis in axes]
    for axis in dropped:
        # One entry, whatever the given end is: the one behind -1 would be 0.
        stop[axis] = known(begin[axis], "index") + 1 or _TO_THE_END
    steps = as_ints(strides, "step")
    name = _sliced(graph.tensor(x), start, stop, axes, steps, graph)
    if dropped:
        name = graph.add("Squeeze", [name, graph.sizes(dropped)])
    return result(node, name, dtype_of(inputs))


def _sliced(
    name: str,
    start: Sequence[Value],
    stop: Sequence[Value],
    axes: Sequence[int],
    steps: Sequence[int],
    graph: OnnxGraph,
) -> str:
    values = (start, stop, list(axes), list(steps))
    return graph.add("Slice", [name, *(graph.sizes(_as_plain(value)) for value in values)])


def _as_plain(values: Sequence[Value]) -> list[Value]:
    return [value if isinstance(value, Size) else int(value) for value in values]


def _slice(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Take a number of entries of each axis; -1 stands for all from the first on."""
    x, begin, lengths = inputs
    stop: list[Value] = []
    for first, length in zip(begin, lengths):
        if isinstance(length, Size):
            is_all = first == 0
            stop.append(length if is_all else Size(graph.add("Add", _both(first, length, graph))))
        else:
            stop.append(_TO_THE_END if length == -1 else first + length)
    axes = range(len(begin))
    name = _sliced(graph.tensor(x), begin, stop, axes, [1] * len(begin), graph)
    return result(node, name, dtype_of(inputs))


def _both(first: Value, second: Value, graph: OnnxGraph) -> list[str]:
    return [graph.sizes([first]), graph.sizes([second])]


def _narrow(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Take a number of entries of one axis."""
    x, axis, first, length = inputs[:4]
    first = known(first, "start")
    stop = first + known(length, "length")
    axes = [known(axis, "axis")]
    return result(node, _sliced(graph.tensor(x), [first], [stop], axes, [1], graph), dtype_of([x]))


def _tile(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, repeats = inputs
    name, shape = graph.tensor(x), x.shape
    missing = len(repeats) - len(shape)
    if missing > 0:
        name = graph.add("Unsqueeze", [name, graph.sizes(list(range(missing)))])
    repeats = (*[1] * -missing, *repeats)
    return result(node, graph.add("Tile", [name, graph.sizes(repeats)]), dtype_of(inputs))


def _broadcast_to(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, sizes = inputs
    # -1 keeps a size: so does 1, since both shapes are broadcast.
    sizes = tuple(1 if isinstance(size, int) and size == -1 else size for size in sizes)
    name = graph.add("Expand", [graph.tensor(x), graph.sizes(sizes)])
    return result(node, name, dtype_of(inputs))


def _filled(number: float) -> Translation:
    """Translate a tensor of one number, of a shape that is given or that of another tensor."""

    def translate(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
        given = inputs[0]
        if isinstance(given, OnnxTensor):
            sizes, dtype = graph.add("Shape", [given.name]), given.dtype
        else:
            sizes = graph.sizes(given if isinstance(given, tuple) else (given,))
            dtype = np.dtype(DTYPES[inputs[1]] if inputs[1] is not None else np.float32)
        if isinstance(given, tuple) and all(isinstance(size, int) for size in given):
            return np.full(given, number, dtype)
        value = graph.constant(np.array(number, dtype))
        return result(node, graph.add("Expand", [value, sizes]), dtype)

    return translate


def _pad(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Pad by a constant; the numbers are (left, right, top, bottom), from the last axis on."""
    x, margins, value = inputs[0], as_ints(inputs[1], "padding"), inputs[2]
    if node.attributes["mode"] != "constant" or x.shape is None:
        raise ValueError("only padding by a constant is supported")
    missing = len(x.shape) - len(margins) // 2
    before = [*[0] * missing, *margins[-2::-2]]
    after = [*[0] * missing, *margins[::-2]]
    name = graph.add("Pad", [x.name, graph.sizes(before + after), graph.tensor(value)])
    shape = tuple(
        -1 if size < 0 else size + first + last for size, first, last in zip(x.shape, before, after)
    )
    return result(node, name, x.dtype, shape=shape)


def _flatten(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    return result(node, graph.add("Flatten", [graph.tensor(inputs[0])], axis=1))


OPERATORS: dict[str, Translation] = {
    "BroadcastTo": _broadcast_to,
    "Concat": _concat,
    "ExpandDims": _expand_dims,
    "Flatten": _flatten,
    "NarrowView": _narrow,
    "Ones": _filled(1.0),
    "OnesLike": _filled(1.0),
    "PadV3": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "SplitTensor": _split_tensor,
    "SplitTensorView": _split_tensor,
    "SplitWithSize": _split_with_size,
    "SplitWithSizeView": _split_with_size,
    "Squeeze": _squeeze,
    "Stack": _stack,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unstack": _unstack,
    "Zeros": _filled(0.0),
    "ZerosLike": _filled(0.0),
}
