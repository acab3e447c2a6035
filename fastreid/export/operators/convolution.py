"""Convolutions and the poolings with windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..mindir import Node, Shape
from ..onnx_graph import OnnxGraph, OnnxTensor, Value
from .common import Translation, as_ints, result

# MindSpore's numbers of padding modes.
_MODES = {0: "PAD", 1: "SAME", 2: "VALID"}


def _padding(mode: Any, pads: Sequence[int]) -> dict[str, Any]:
    """Write a padding as attributes; `pads` is (top, bottom, left, right)."""
    name = _MODES.get(mode, str(mode).upper())
    if name == "SAME":
        return {"auto_pad": "SAME_UPPER"}
    if name == "VALID":
        return {"pads": [0, 0, 0, 0]}
    top, bottom, left, right = pads
    return {"pads": [top, left, bottom, right]}


def _same_pads(
    x: OnnxTensor, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Compute the padding of mode "same": the lower and right margins get what is odd."""
    if x.shape is None or -1 in x.shape[2:]:
        raise ValueError("the size of its maps is unknown, which padding 'same' depends on")
    before, after = [], []
    for size, length, stride, dilation in zip(x.shape[2:], window, strides, dilations):
        reach = dilation * (length - 1) + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _map_shape(
    x: OnnxTensor, window: Sequence[int], strides: Sequence[int], **options: Any
) -> Shape | None:
    """Compute the shape (N, C, h, w) after a window has moved over maps; None if unknown.

    Options are those of the ONNX operators: pads, dilations, auto_pad, ceil_mode.
    """
    if x.shape is None or -1 in x.shape[2:]:
        return None
    sizes = []
    for axis, (size, length, stride) in enumerate(zip(x.shape[2:], window, strides)):
        if "auto_pad" in options:
            sizes.append(-(-size // stride))
            continue
        pads = options["pads"][axis] + options["pads"][axis + 2]
        reach = options.get("dilations", (1, 1))[axis] * (length - 1) + 1
        steps = size + pads - reach
        if options.get("ceil_mode"):
            steps += stride - 1
        sizes.append(steps // stride + 1)
    return (*x.shape[:2], *sizes)


def _conv2d(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    given = node.attributes
    size = given["kernel_size"]
    window = [size, size] if isinstance(size, int) else list(size)
    strides = list(given["stride"][-2:])
    options = _padding(given["pad_mode"], given["pad"])
    options["dilations"] = list(given["dilation"][-2:])
    if "auto_pad" in options and set(options["dilations"]) != {1}:
        # onnxruntime refuses them together.
        del options["auto_pad"]
        options["pads"] = _same_pads(inputs[0], window, strides, options["dilations"])
    names = [graph.tensor(value) for value in inputs]
    name = graph.add(
        "Conv", names, kernel_shape=window, strides=strides, group=given["group"], **options
    )
    shape = _map_shape(inputs[0], window, strides, **options)
    if shape is not None:
        shape = (shape[0], given["out_channel"], *shape[2:])
    return result(node, name, shape=shape)


def _bias_add(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Add a value to each channel, the second axis."""
    x, bias = inputs[:2]
    if node.shape is None:
        raise ValueError("the number of dimensions is unknown")
    name = graph.tensor(bias)
    if len(node.shape) > 2:
        name = graph.add("Reshape", [name, graph.sizes((-1, *[1] * (len(node.shape) - 2)))])
    return result(node, graph.add("Add", [graph.tensor(x), name]))


def _max_pool(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    given = node.attributes
    window, strides = given["kernel_size"][-2:], given["strides"][-2:]
    options = _padding(given["pad_mode"], (0, 0, 0, 0))
    return _pool("MaxPool", inputs[0], window, strides, graph, **options)


def _pool(
    operator: str,
    x: OnnxTensor,
    window: Sequence[int],
    strides: Sequence[int],
    graph: OnnxGraph,
    **options: Any,
) -> OnnxTensor:
    name = graph.add(
        operator, [x.name], kernel_shape=list(window), strides=list(strides), **options
    )
    return OnnxTensor(name, _map_shape(x, window, strides, **options))


def _max_pool_3d(node: Node, inputs: list[Value], graph: OnnxGraph) -> Value:
    """Pool volumes of depth 1, which is how MindSpore pools maps with padding."""
    given = node.attributes
    options = {
        "pads": list(given["pads"][-2:]) * 2,
        "dilations": list(given["dilation"][-2:]),
        "ceil_mode": int(given["ceil_mode"]),
    }
    pooled = _pool_flat(
        "MaxPool", inputs[0], given["ksize"][-3:], given["strides"][-3:], graph, **options
    )
    # The maximum also returns where it was found, which inference does not use.
    return pooled, None


def _avg_pool_3d(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    """Average volumes of depth 1; see `_max_pool_3d`."""
    given = node.attributes
    if given["divisor_override"]:
        raise ValueError("a divisor of its own is not supported")
    options = _padding(given["pad_mode"], given["pad_list"][-4:])
    options["ceil_mode"] = int(given["ceil_mode"])
    options["count_include_pad"] = int(given["count_include_pad"])
    return _pool_flat(
        "AveragePool",
        inputs[0],
        given["kernel_size"][-3:],
        given["strides"][-3:],
        graph,
        **options,
    )


def _pool_flat(
    operator: str,
    x: OnnxTensor,
    window: Sequence[int],
    strides: Sequence[int],
    graph: OnnxGraph,
    **options: Any,
) -> OnnxTensor:
    """Pool (N, C, 1, H, W) by pooling the maps that it was made of."""
    producer = graph.producers.get(x.name)
    if window[0] != 1 or producer is None or producer.op_type != "Unsqueeze":
        raise ValueError("volumes that are deeper than 1 are not supported")
    shape = x.shape
    maps = OnnxTensor(producer.input[0], None if shape is None else (*shape[:2], *shape[3:]))
    pooled = _pool(operator, maps, window[1:], strides[1:], graph, **options)
    name = graph.add("Unsqueeze", [pooled.name, graph.sizes((2,))])
    deep = None if pooled.shape is None else (*pooled.shape[:2], 1, *pooled.shape[2:])
    return OnnxTensor(name, deep)


def _avg_pool(node: Node, inputs: list[Value], graph: OnnxGraph) -> OnnxTensor:
    x, kernel, strides, mode = inputs[:4]
    window = as_ints(kernel, "window")[-2:]
    options = _padding(mode, (0, 0, 0, 0))
    return _pool("AveragePool", x, window, as_ints(strides, "stride")[-2:], graph, **options)


OPERATORS: dict[str, Translation] = {
    "AvgPool": _avg_pool,
    "AvgPool3D": _avg_pool_3d,
    "BiasAdd": _bias_add,
    "Conv2D": _conv2d,
    "MaxPool": _max_pool,
    "MaxPool3DWithArgmax": _max_pool_3d,
}
