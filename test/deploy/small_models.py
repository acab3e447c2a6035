"""ONNX files of a few operators, written without MindSpore."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from fastreid.deploy import ModelInfo

INFO = ModelInfo(
    input="raw",
    resize=(16, 8),
    crop=None,
    dimension=6,
    unit_length=False,
    distance="cosine",
    precision="float32",
    config="",
    version="0",
    weights="model.ckpt",
    weights_sha256="0" * 64,
)
WEIGHTS = np.random.RandomState(0).randn(6, 3, 3, 3).astype(np.float32)


def write_model(path, info=INFO, size=None):
    """Write a convolution and the mean of its maps; without info, the file has no metadata."""
    size = size or (info.size if info else (16, 8))
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "weight"], ["maps"], pads=[1, 1, 1, 1]),
            helper.make_node("ReduceMean", ["maps"], ["features"], axes=[2, 3], keepdims=0),
        ],
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["images", 3, *size])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["images", 6])],
        [numpy_helper.from_array(WEIGHTS, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if info:
        helper.set_model_props(model, info.to_metadata())
    save(model, str(path))
    return path


def features_of(batch):
    """The same in NumPy, (N, 3, H, W) -> (N, 6)."""
    height, width = batch.shape[2:]
    padded = np.pad(batch.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = 0.0
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + height, column : column + width]
            total = total + np.einsum("nchw,dc->nd", window, WEIGHTS[:, :, row, column])
    return total / (height * width)
