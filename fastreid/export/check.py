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
# Distances are equal if they differ by less than this share of the range of all distances ...
_TIE = 1e-3
# ... or by what the rounding of features may change.
_ROUNDING = 1e-6


class Comparison(NamedTuple):
    """How far an exported file is from the model, on sample images.

    Attributes:
        error: largest difference of a feature, relative to the largest value of all features.
        has_equal_ranks: whether each image has the same ten nearest images in the same order,
            except for ties: distances that differ by less than a thousandth of their range.
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
    """Compare the order of the nearest images by cosine distance; ties are equal."""
    own, other = (_cosine_distances(features) for features in (expected, found))
    between = own[~np.eye(len(own), dtype=bool)]
    tie = max(_ROUNDING, _TIE * np.ptp(between)) if len(between) else 0.0
    nearest = np.argsort(other, axis=1, kind="stable")[:, :_NEIGHBOURS]
    in_found_order = np.take_along_axis(own, nearest, axis=1)
    right_order = np.sort(own, axis=1)[:, :_NEIGHBOURS]
    return bool((np.abs(in_found_order - right_order) <= tie).all())


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


def describe_difference(
    network: nn.Cell, model: onnx.ModelProto, images: np.ndarray, tolerance: float
) -> str:
    """Say where a network and its exported file begin to differ.

    Args:
        network: the network that was exported.
        model: the file.
        images: (N, 3, H, W) float32, as the network takes them.
        tolerance: the largest difference of a cell's output that is accepted, relative to its
            largest value.

    Returns:
        A sentence with the dotted name of a cell, such as "backbone.stages.0.blocks.1.bn2": the
        first one whose output differs, or that which differs most.
    """
    errors = _errors_of_cells(network, model, images)
    for name, error in errors.items():
        if not error <= tolerance:
            return f"The first layer that differs (by {error:.1e}) is {name}."
    if not errors:
        return "No layer of both can be compared."
    worst = max(errors, key=lambda name: errors[name])
    return (
        f"No layer differs by more than {tolerance:.0e}; {worst} differs most, by "
        f"{errors[worst]:.1e}."
    )


def _errors_of_cells(
    network: nn.Cell, model: onnx.ModelProto, images: np.ndarray
) -> dict[str, float]:
    """Find the output of each cell among the tensors of a file.

    They are found by their values: nodes of cells that are used several times, and of functions
    that several cells share, have the name of one of these cells.

    Returns:
        The relative difference to the nearest tensor, by the name of the cell, in the order of
        execution.
    """
    tensors = _tensors_by_size(model, images)
    outputs = _outputs_of_cells(network, images)
    return {
        name: min(_relative_difference(tensor, output) for tensor in tensors[output.size])
        for name, output in outputs.items()
        if output.size in tensors
    }


def _relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected.reshape(-1)).max(initial=0)
    relative = float(difference / max(np.abs(expected).max(initial=0), 1e-6))
    return relative if np.isfinite(relative) else float("inf")


def _tensors_by_size(model: onnx.ModelProto, images: np.ndarray) -> dict[int, list[np.ndarray]]:
    """Compute all tensors of a model that hold floats, flat, by their number of elements."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output]
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    tensors: dict[int, list[np.ndarray]] = {}
    for value in _session(copy).run(names, {model.graph.input[0].name: images}):
        if value.dtype.kind == "f":
            tensors.setdefault(value.size, []).append(value.reshape(-1))
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


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)
