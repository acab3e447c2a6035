"""Write a trained model as a MINDIR or ONNX file, and check the file."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import mindspore as ms
import numpy as np
import onnx
from mindspore import Tensor, nn
from mindspore.train import mind_ir_pb2

import fastreid
from fastreid.config import CfgNode
from fastreid.deploy.embedder import normalized
from fastreid.deploy.model_info import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    INPUTS,
    NORMALIZED,
    RAW,
    ModelInfo,
)
from fastreid.engine import DefaultPredictor
from fastreid.engine.resume.saved_config import dump_for_keeping
from fastreid.utils.atomic_file import replacing
from fastreid.utils.checkpoint.weights_hash import hash_of_weights
from fastreid.utils.collect_env import git_state

from .check import Comparison, compare_features, describe_difference, run_onnx, sample_images
from .half import to_float16
from .network import ExportNetwork, replace_padded_pools, take_normalized_images
from .translate import mindir_to_onnx

logger = logging.getLogger(__name__)

SUFFIXES = (".mindir", ".onnx")
# The largest accepted difference, relative to the largest feature.
TOLERANCE = 1e-4
HALF_TOLERANCE = 2e-2


class ExportOptions(NamedTuple):
    """What is written.

    Attributes:
        input: "raw" for RGB in 0..255, "normalized" for images that other programs normalized.
        unit_length: whether features are scaled to length 1.
        half: whether weights are float16 (ONNX only).
    """

    input: str = RAW
    unit_length: bool = False
    half: bool = False


def export_model(cfg: CfgNode, output: Path, options: ExportOptions | None = None) -> Comparison:
    """Write the model of a configuration; the file exists only if it computes the same.

    Args:
        cfg: the whole configuration; MODEL.WEIGHTS are the weights.
        output: a file that ends with .mindir or .onnx.
        options: what is written; None: the defaults.

    Returns:
        The difference to the model on sample images.

    Raises:
        ValueError: if the configuration cannot be exported, or the file computes other features;
            the message names the first layer that differs.
        FileNotFoundError: if there are no weights.
    """
    options = options or ExportOptions()
    _check(output, options)
    resize, crop = _sizes(cfg)
    predictor = DefaultPredictor(cfg)
    model = predictor.model
    info = _describe(predictor, resize, crop, options)
    replace_padded_pools(model)
    network = ExportNetwork(model, unit_length=options.unit_length)
    images = sample_images(info.size)
    expected = network(Tensor(images)).asnumpy()
    if not np.isfinite(expected).all():
        raise ValueError(
            f"The features of MODEL.WEIGHTS {cfg.MODEL.WEIGHTS} are not finite on sample images: "
            "the training has diverged, or the weights are damaged. Take another checkpoint."
        )
    if options.input == NORMALIZED:
        take_normalized_images(model)
        network, images = ExportNetwork(model, unit_length=options.unit_length), normalized(images)
    info = dataclasses.replace(info, dimension=expected.shape[1])
    output.parent.mkdir(parents=True, exist_ok=True)
    write = _write_onnx if output.suffix.lower() == ".onnx" else _write_mindir
    with replacing(output) as temporary:
        return write(network, temporary, info, images, expected)


def _describe(
    predictor: DefaultPredictor,
    resize: tuple[int, int],
    crop: tuple[int, int] | None,
    options: ExportOptions,
) -> ModelInfo:
    """Describe the file, except for the dimension of its features."""
    cfg, is_normalized = predictor.cfg, options.input == NORMALIZED
    return ModelInfo(
        input=options.input,
        resize=resize,
        crop=crop,
        dimension=0,
        unit_length=options.unit_length,
        distance=cfg.TEST.METRIC,
        precision="float16" if options.half else "float32",
        config=dump_for_keeping(cfg),
        version=f"{fastreid.__version__}, {git_state()}",
        weights=Path(cfg.MODEL.WEIGHTS).name,
        weights_sha256=hash_of_weights(predictor.model),
        mean=IMAGENET_MEAN if is_normalized else None,
        std=IMAGENET_STD if is_normalized else None,
    )


def _check(output: Path, options: ExportOptions) -> None:
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"The name of the file, {output}, must end with {' or '.join(SUFFIXES)}.")
    if options.input not in INPUTS:
        raise ValueError(f"The input is {options.input!r}; it must be one of {INPUTS}.")
    if options.half and output.suffix.lower() != ".onnx":
        raise ValueError("Weights in float16 can be written to .onnx files only.")


def _sizes(cfg: CfgNode) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Return the size that images are resized to, and that of the centre that is cut out."""
    given = cfg.INPUT
    if len(given.SIZE_TEST) != 2 or min(given.SIZE_TEST) <= 0:
        raise ValueError(
            f"INPUT.SIZE_TEST is {list(given.SIZE_TEST)}; a file for other programs needs one "
            "height and width, such as (256, 128)."
        )
    if given.TRANSFORMS_TEST:
        raise ValueError(
            f"INPUT.TRANSFORMS_TEST {list(given.TRANSFORMS_TEST)} are Python code, which cannot be "
            "exported; set it to [] and apply them before the model."
        )
    height, width = given.SIZE_TEST
    if not given.CROP.ENABLED:
        return (height, width), None
    return (height, width), (given.CROP.SIZE[0], given.CROP.SIZE[-1])


@contextmanager
def _exported(network: nn.Cell, size: tuple[int, int]) -> Iterator[Path]:
    """Yield a MINDIR file of a network for any number of images, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.mindir"
        sample = Tensor(shape=[None, 3, *size], dtype=ms.float32)
        level = ms.get_context("jit_syntax_level")
        try:
            ms.export(network, sample, file_name=str(path), file_format="MINDIR")
        except (ValueError, TypeError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"MindSpore cannot export this network for any number of images: {reason}"
            ) from error
        finally:
            # A failed export would leave this process with the strict syntax of exports.
            ms.set_context(jit_syntax_level=level)
        yield path


def _write_mindir(
    network: nn.Cell, path: Path, info: ModelInfo, images: np.ndarray, expected: np.ndarray
) -> Comparison:
    with _exported(network, info.size) as plain:
        proto = mind_ir_pb2.ModelProto()
        proto.ParseFromString(plain.read_bytes())
        for key, value in info.to_metadata().items():
            proto.user_info.add(key=key, value=value)
        path.write_bytes(proto.SerializeToString())
        found = nn.GraphCell(ms.load(str(path)))(Tensor(images)).asnumpy()
        comparison = compare_features(found, expected)
        if not _is_right(comparison, TOLERANCE):
            raise _difference(comparison, TOLERANCE, _where_in_mindir(network, plain, images))
    return comparison


def _where_in_mindir(network: nn.Cell, plain: Path, images: np.ndarray) -> str:
    """Say where a MINDIR file differs; its layers are seen in its translation to ONNX."""
    try:
        model = mindir_to_onnx(plain)
    except ValueError as error:
        return f"The layers cannot be compared: {error}"
    return describe_difference(network, model, images, TOLERANCE)


def _write_onnx(
    network: nn.Cell, path: Path, info: ModelInfo, images: np.ndarray, expected: np.ndarray
) -> Comparison:
    with _exported(network, info.size) as plain:
        model = mindir_to_onnx(plain)
    if info.precision == "float16":
        model = to_float16(model)
    onnx.helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    comparison = compare_features(run_onnx(model, images), expected)
    is_half = info.precision == "float16"
    tolerance = HALF_TOLERANCE if is_half else TOLERANCE
    if not _is_right(comparison, tolerance, ranks=not is_half):
        where = describe_difference(network, model, images, tolerance)
        raise _difference(comparison, tolerance, where)
    return comparison


def _is_right(comparison: Comparison, tolerance: float, *, ranks: bool = True) -> bool:
    return comparison.error <= tolerance and (comparison.has_equal_ranks or not ranks)


def _difference(comparison: Comparison, tolerance: float, where: str) -> ValueError:
    return ValueError(
        f"The exported file computes other features than the model: they differ by "
        f"{comparison.error:.1e} of the largest one, where {tolerance:.0e} is allowed, and the ten "
        f"nearest images {'are' if comparison.has_equal_ranks else 'are not'} the same. {where} "
        "Nothing was written."
    )
