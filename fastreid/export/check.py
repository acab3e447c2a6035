"""Run an exported file beside the model, and find where they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
from mindspore import Tensor, nn
from onnx import helper

from fastreid.utils.processor import matmul

NUM_IMAGES = 16
_NEIGHBOURS = 10
# A layer differs if its outputs do by more than this, relative to the largest value.
_LAYER_TOLERANCE = 1e-3


class Comparison(NamedTuple):
    """How far an exported file is from the model, on sample images.

    Attributes:
        error: largest difference of a feature, relative to the largest value of all features.
        has_equal_ranks: whether each image has the same ten nearest images in the same order,
            where the distances differ by more than the error explains.
    """

    error: float
    has_equal_ranks: bool


def sample_images(size: tuple[int, int], number: int = NUM_IMAGES) -> np.ndarray:
    """Draw smooth random images, the same at each call.

    Args:
        size: (H, W).
        number: N.

    Returns:
        (N, 3, H, W) float32, whole numbers in 0..255.

    Examples:
        >>> from fastreid.export.check import sample_images
        >>> images = sample_images((64, 32), number=4)
        >>> images.shape, bool((images == sample_images((64, 32), number=4)).all())
        ((4, 3, 64, 32), True)
    """
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (number, 3, 8, 4)).astype(np.float32)
    rows = np.linspace(0, 7, size[0]).astype(int)
    columns = np.linspace(0, 3, size[1]).astype(int)
    noise = rng.integers(-20, 21, (number, 3, *size))
    return (coarse[:, :, rows][:, :, :, columns] + noise).clip(0, 255).astype(np.float32)


def compare_features(found: np.ndarray, expected: np.ndarray) -> Comparison:
    """Compare features (N, D) of an exported file with those of the model.

    Examples:
        >>> import numpy as np
        >>> from fastreid.export.check import compare_features
        >>> expected = np.eye(12, dtype=np.float32)
        >>> compare_features(expected * 0.75, expected)
        Comparison(error=0.25, has_equal_ranks=True)
    """
    scale = float(np.abs(expected).max()) or 1.0
    error = float(np.abs(found.astype(np.float64) - expected).max()) / scale
    if not np.isfinite(error):
        return Comparison(float("inf"), has_equal_ranks=False)
    return Comparison(error, _has_equal_ranks(found, expected))


def _has_equal_ranks(found: np.ndarray, expected: np.ndarray) -> bool:
    """Compare the order of the nearest images by cosine distance; ties by rounding are equal."""
    own, other = (_cosine_distances(features) for features in (expected, found))
    nearest = np.argsort(other, axis=1, kind="stable")[:, :_NEIGHBOURS]
    in_found_order = np.take_along_axis(own, nearest, axis=1)
    right_order = np.sort(own, axis=1)[:, :_NEIGHBOURS]
    return bool((np.abs(in_found_order - right_order) <= 2 * np.abs(own - other).max()).all())


def _cosine_distances(features: np.ndarray) -> np.ndarray:
    rows = features.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    distances = 1 - matmul(rows, rows.T)
    # An image is not its own neighbour: farther than any other, whose distance is 2 at most.
    np.fill_diagonal(distances, 3)
    return distances


def run_onnx(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """Compute the output of a model in memory for images (N, 3, H, W)."""
    (output,) = _session(model).run(None, {model.graph.input[0].name: images})
    return output


def first_difference(network: nn.Cell, model: onnx.ModelProto, images: np.ndarray) -> str:
    """Name the first cell whose output differs between a network and its exported file.

    Args:
        network: the network that was exported.
        model: the file; its nodes begin with the names of the cells they belong to.
        images: (N, 3, H, W) float32, as the network takes them.

    Returns:
        The dotted name, such as "backbone.stages.0.blocks.1.bn2"; "" if no cell differs.
    """
    tensors = _last_tensors(model)
    outputs = _outputs_of_cells(network, images)
    shared = [name for name in outputs if name in tensors]
    values = _intermediate(model, [tensors[name] for name in shared], images)
    for name, value in zip(shared, values):
        expected = outputs[name]
        if value.size != expected.size:
            continue
        difference = np.abs(value.reshape(-1) - expected.reshape(-1)).max(initial=0)
        if not difference <= _LAYER_TOLERANCE * max(np.abs(expected).max(initial=0), 1e-6):
            return name
    return ""


def _last_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """Map the name of a cell to the last tensor that was made in it or in its children."""
    tensors = {}
    for node in model.graph.node:
        parts = node.name.split(".")[:-1]
        for length in range(1, len(parts) + 1):
            tensors[".".join(parts[:length])] = node.output[0]
    return tensors


def _outputs_of_cells(network: nn.Cell, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the outputs of the smallest cells that can be observed, in the order of execution.

    These are the cells without children, and convolutions, whose kernels have their own gradients.
    """
    outputs: dict[str, np.ndarray] = {}

    def recorder(name: str) -> Callable[..., None]:
        def record(cell: nn.Cell, inputs: Any, output: Any) -> None:
            del cell, inputs
            if isinstance(output, Tensor):
                outputs.setdefault(name, output.asnumpy())

        return record

    handles = [
        cell.register_forward_hook(recorder(name.partition(".")[2]))
        for name, cell in network.cells_and_names()
        if name
    ]
    mode = ms.get_context("mode")
    # Hooks run in this mode only.
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        network(Tensor(images))
    finally:
        ms.set_context(mode=mode)
        for handle in handles:
            handle.remove()
    return {
        name: output
        for name, output in outputs.items()
        if not any(other.startswith(f"{name}.") for other in outputs)
    }


def _intermediate(model: onnx.ModelProto, names: list[str], images: np.ndarray) -> list[np.ndarray]:
    """Compute tensors inside of a model."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return _session(copy).run(names, {model.graph.input[0].name: images})


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)
