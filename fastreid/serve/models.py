"""The model of the service: an exported file, or a checkpoint with its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from fastreid.inference import PictureModel, open_picture_model

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


class ServedModel:
    """A trained model of any kind as the service uses it.

    Args:
        model: computes the features; the first picture, which also compiles the network of a
            checkpoint, is computed here.
    """

    def __init__(self, model: PictureModel) -> None:
        self._model = model
        self.name = model.weights_sha256
        self.dimension = model.dimension
        self.explanations = (
            Explanations.of_predictor(model.predictor)
            if model.predictor
            else Explanations(None, _EXPORTED)
        )

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return the features (N, D) of RGB pictures of any sizes."""
        return self._model.embed(list(pictures))


def open_model(path: Path, config_file: Path | None = None, opts: Sequence[str] = ()) -> Model:
    """Open a model.

    Args:
        path: a file of ``tools/export.py``, or a checkpoint. An ONNX file needs no MindSpore.
        config_file: configuration, for a checkpoint.
        opts: ``KEY VALUE ...``, for a checkpoint; MODEL.DEVICE for exported files, too.

    Returns:
        The model.

    Raises:
        ValueError: if the file is no model, or the configuration is missing or not needed.
        FileNotFoundError: if a file does not exist.
        ImportError: if onnxruntime is not installed.
    """
    # One at a time: MindSpore compiles a network again for each number of images.
    return ServedModel(open_picture_model(path, config_file, opts, batch_size=1))
