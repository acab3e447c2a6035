"""Images, and models that compute features of them."""

import dataclasses
import re

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from PIL import Image

from fastreid.config import get_cfg, load_stored_config
from fastreid.deploy import Embedder
from fastreid.extraction import ExtractionModel, list_images
from test.deploy.small_models import INFO, write_model

PATTERN = re.compile(r"(?P<pid>\w+?)_c(?P<camid>\d+)")
BATCH = 4


def config(height=16, width=8):
    cfg = get_cfg()
    cfg.INPUT.SIZE_TEST = [height, width]
    cfg.TEST.IMS_PER_BATCH = BATCH
    return cfg


def write_images(folder, count, rng):
    """Write images of several sizes; every seventh has no labels in its name."""
    for index in range(count):
        parent = folder / f"day{index % 3}"
        parent.mkdir(parents=True, exist_ok=True)
        name = f"{index // 4:04d}_c{index % 2}_{index}" if index % 7 else f"image{index}"
        pixels = rng.integers(0, 256, (20 + index, 11, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(parent / f"{name}.png")
    return folder


def write_onnx(path, cfg=None, **changed):
    cfg = cfg or config()
    size = tuple(cfg.INPUT.SIZE_TEST)
    return write_model(path, dataclasses.replace(INFO, resize=size, config=cfg.dump(), **changed))


def open_model(path, *opts):
    info = Embedder(path).info
    cfg = load_stored_config(info.config, opts, source=path)
    return ExtractionModel.from_file(path, cfg, info)


def listed(folder):
    return list_images(folder, PATTERN)


def write_slow_onnx(path, layers=24):
    """Write a model of convolutions that takes about a tenth of a second for an image."""
    cfg = config(64, 32)
    info = dataclasses.replace(INFO, resize=(64, 32), config=cfg.dump())
    rng = np.random.default_rng(0)
    shapes = [(64, 3, 3, 3), *[(64, 64, 3, 3)] * layers, (6, 64, 3, 3)]
    weights = [
        numpy_helper.from_array(
            (rng.standard_normal(shape) / np.sqrt(9 * shape[1])).astype(np.float32), f"w{index}"
        )
        for index, shape in enumerate(shapes)
    ]
    nodes = [
        helper.make_node("Conv", [f"x{index}", f"w{index}"], [f"x{index + 1}"], pads=[1] * 4)
        for index in range(len(shapes))
    ]
    mean = helper.make_node(
        "ReduceMean", [f"x{len(shapes)}"], ["features"], axes=[2, 3], keepdims=0
    )
    graph = helper.make_graph(
        [*nodes, mean],
        "slow",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["images", 3, 64, 32])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["images", 6])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, info.to_metadata())
    save(model, str(path))
    return path
