"""A model in a MINDIR file of tools/export.py."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
from google.protobuf.message import DecodeError
from mindspore import Tensor, nn
from mindspore.train import mind_ir_pb2

from fastreid.deploy.embedder import normalized
from fastreid.deploy.model_info import NORMALIZED, ModelInfo
from fastreid.deploy.pictures import check_batch


class MindirModel:
    """Computes the features of batches with an exported model, as `Embedder` does for ONNX.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a MINDIR file of tools/export.py.
    """

    def __init__(self, path: Path) -> None:
        self.info = read_mindir_info(path)
        self._network = nn.GraphCell(ms.load(str(path)))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute features.

        Args:
            images: (N, 3, H, W) floats of the model's size, RGB in 0..255.

        Returns:
            (N, D) float32.
        """
        batch = check_batch(images, self.info.size)
        if self.info.input == NORMALIZED:
            batch = normalized(batch)
        return self._network(Tensor(batch)).asnumpy()


def read_mindir_info(path: Path) -> ModelInfo:
    """Read what a MINDIR file says about its model, without loading the network.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a MINDIR file of tools/export.py.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}; make it with tools/export.py.")
    proto = mind_ir_pb2.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} cannot be read as a MINDIR file: {error}") from error
    metadata = {entry.key: entry.value for entry in proto.user_info}
    return ModelInfo.from_metadata(metadata, str(path))
