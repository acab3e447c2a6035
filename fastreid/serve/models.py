"""The model of the service: an exported ONNX file, or a checkpoint with its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from fastreid.deploy import Embedder

from .explaining import Explanations

_EXPORTED = (
    "This service runs an exported file, whose results cannot be explained: serve the checkpoint, "
    "tools/serve.py --model FILE.ckpt --config-file FILE.yml."
)


class Model(Protocol):
    """Computes features of pictures.

    Attributes:
        name: hash of the weights, as a gallery's description has it.
        dimension: D, the length of a feature.
        explanations: explains pairs of pictures, or says why it cannot.
    """

    name: str
    dimension: int
    explanations: Explanations

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return the features (N, D) of RGB pictures of any sizes."""


class OnnxModel:
    """An exported model, which runs without MindSpore.

    Args:
        path: a file of ``tools/export.py``.
    """

    def __init__(self, path: Path) -> None:
        self._embed = Embedder(path)
        self.name = self._embed.info.weights_sha256
        self.dimension = self._embed.info.dimension
        self.explanations = Explanations(None, _EXPORTED)

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return the features (N, D) of RGB pictures of any sizes."""
        return self._embed(list(pictures))


class CheckpointModel:
    """A checkpoint, which MindSpore runs.

    Args:
        weights: the checkpoint, in any format that MODEL.WEIGHTS takes.
        config_file: configuration of the model.
        opts: ``KEY VALUE ...`` that change it.
    """

    def __init__(self, weights: Path, config_file: Path, opts: Sequence[str] = ()) -> None:
        from fastreid.config import load_config
        from fastreid.engine import DefaultPredictor, set_device_and_mode
        from fastreid.utils.checkpoint.weights_hash import hash_of_weights

        cfg = load_config(config_file, [*opts, "MODEL.WEIGHTS", str(weights)])
        cfg.freeze()
        set_device_and_mode(cfg, images=1)
        self._predict = DefaultPredictor(cfg)
        self.name = hash_of_weights(self._predict.model)
        self.explanations = Explanations.of_predictor(self._predict)
        # The first picture also compiles the network.
        self.dimension = self([Image.new("RGB", (8, 16))]).shape[1]

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return the features (N, D) of RGB pictures of any sizes."""
        # One at a time: MindSpore compiles the network again for each number of images.
        return np.concatenate([self._predict([picture]) for picture in pictures])


def open_model(path: Path, config_file: Path | None = None, opts: Sequence[str] = ()) -> Model:
    """Open a model.

    Args:
        path: an ONNX file of ``tools/export.py``, or a checkpoint.
        config_file: configuration, for a checkpoint.
        opts: ``KEY VALUE ...``, for a checkpoint.

    Returns:
        The model.

    Raises:
        ValueError: if the file is no model, or the configuration is missing or not needed.
        FileNotFoundError: if a file does not exist.
        ImportError: if onnxruntime is not installed.
    """
    kind = path.suffix.lower()
    if kind == ".mindir":
        raise ValueError(
            f"{path} is a MINDIR file, which this tool does not run: export the model as ONNX "
            "(tools/export.py --output FILE.onnx)."
        )
    if kind == ".onnx":
        if config_file or opts:
            raise ValueError(
                f"The configuration is inside {path}: --config-file and KEY VALUE pairs are for "
                "checkpoints."
            )
        return OnnxModel(path)
    if config_file is None:
        raise ValueError(
            f"{path} is read as a checkpoint, which needs its configuration: add --config-file, or "
            "give an exported model, FILE.onnx."
        )
    return CheckpointModel(path, config_file, opts)
