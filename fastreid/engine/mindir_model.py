"""A model in a MINDIR file of tools/export.py."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from google.protobuf.message import DecodeError
from mindspore import Tensor, nn
from mindspore.train import mind_ir_pb2

from fastreid.config import CfgNode, get_cfg
from fastreid.deploy.embedder import normalized
from fastreid.deploy.model_info import NORMALIZED, ModelInfo
from fastreid.deploy.pictures import check_batch
from fastreid.utils.machine import CoreSharing

from .cpu import moves_kernels
from .setup import set_device_and_mode

logger = logging.getLogger(__name__)


class MindirModel:
    """Computes the features of batches with an exported model, as `Embedder` does for ONNX.

    Args:
        path: the file.
        device: as MODEL.DEVICE: "auto", "cpu", "gpu", "cuda:1", "ascend", ... MindSpore has one
            device for everything in a process, which this sets, with graph mode. None: both stay
            as they are.
        opts: KEY VALUE KEY VALUE ..., which override the configuration inside the file; with a
            device, DISPATCH_THREADS counts.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a MINDIR file of tools/export.py, or the device is not available.
    """

    def __init__(self, path: Path, *, device: str | None = None, opts: Sequence[str] = ()) -> None:
        self.info = read_mindir_info(path)
        self._sharing = CoreSharing()
        if device is not None:
            cfg = _config_inside(self.info, path)
            cfg.merge_from_list(opts)
            cfg.MODEL.DEVICE, cfg.MODE = device, "graph"
            set_device_and_mode(cfg)
            self._sharing = CoreSharing(moves=moves_kernels(cfg))
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
            batch = normalized(batch, self.info)
        self._sharing.report(logger)
        return self._network(Tensor(batch)).asnumpy()


def _config_inside(info: ModelInfo, path: Path) -> CfgNode:
    """Return the configuration in a file; the defaults if this version cannot read it."""
    cfg = get_cfg()
    try:
        cfg.merge_from_text(info.config, source=str(path))
    except (KeyError, TypeError, ValueError) as error:
        logger.warning(
            "The configuration inside %s is of another version (%s). Threads are chosen by "
            "default; the features do not depend on it.",
            *(path, error),
        )
        return get_cfg()
    return cfg


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
