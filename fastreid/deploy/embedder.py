"""Features from an exported ONNX file, without MindSpore."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .model_info import IMAGENET_MEAN, IMAGENET_STD, NORMALIZED, ModelInfo
from .pictures import check_batch, is_batch, open_pictures, prepared

_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}


class Embedder:
    """Compute the features of pictures with an exported model.

    Args:
        path: a file of ``tools/export.py``.
        device: "cpu" or "cuda".
        batch_size: how many images run at once.
        threads: threads of the processor that the model may use; 0: all.

    Raises:
        ImportError: if onnxruntime is not installed.
        FileNotFoundError: if there is no such file.
        ValueError: if it is no exported model, or the device is not available.

    Examples:
        ::

            embed = Embedder("model.onnx")
            query, *gallery = embed(["query.jpg", "a.jpg", "b.jpg"])
            similarities = np.stack(gallery) @ query
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: str = "cpu",
        batch_size: int = 64,
        threads: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1.")
        self.path = Path(path)
        self.batch_size = batch_size
        self._session = _open_session(self.path, device, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.info = ModelInfo.from_metadata(metadata, str(self.path))
        given = self._session.get_inputs()[0]
        self._input = given.name
        _check_size(given.shape, self.info.size, self.path)

    def __call__(self, images: Any, *, bgr: bool = False) -> np.ndarray:
        """Compute features.

        Args:
            images: a path, a PIL image, a uint8 array (H, W, 3), or a list of these, of any sizes;
                or a float array (N, 3, height, width), RGB in 0..255, of the model's size.
            bgr: whether uint8 arrays have the channels blue, green, red, as OpenCV gives them.

        Returns:
            (N, D) float32, one row an image, in this order; of length 1 if the model was exported
            so.

        Raises:
            PictureError: if something else is given.
            ImageError: if a file is missing or cannot be read.
        """
        features = [self._run(part) for part in self._parts(images, bgr)]
        return np.concatenate(features) if features else self._nothing()

    def prepare(self, images: Any, *, bgr: bool = False) -> np.ndarray:
        """Resize pictures as the model needs them, without computing features.

        Args:
            images: pictures, as for calling; at least one.
            bgr: as for calling.

        Returns:
            (N, 3, H, W) float32, RGB in 0..255, of the model's size.
        """
        return np.concatenate(list(self._parts(images, bgr)))

    def _parts(self, images: Any, bgr: bool) -> Iterator[np.ndarray]:
        """Yield RGB in 0..255, (n, 3, H, W) float32 with n <= batch_size."""
        if is_batch(images):
            batch = check_batch(images, self.info.size)
            for start in range(0, len(batch), self.batch_size):
                yield batch[start : start + self.batch_size]
            return
        arrays = map(self._prepared, open_pictures(images, self.info.size, bgr=bgr))
        while part := list(itertools.islice(arrays, self.batch_size)):
            yield np.stack(part)

    def _prepared(self, picture: Image.Image) -> np.ndarray:
        return prepared(picture, self.info.resize, self.info.crop)

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """Compute the features of RGB in 0..255, (N, 3, H, W) float32."""
        if self.info.input == NORMALIZED:
            batch = normalized(batch)
        return self._session.run(None, {self._input: batch})[0]

    def _nothing(self) -> np.ndarray:
        return np.zeros((0, self.info.dimension), np.float32)


def normalized(batch: np.ndarray) -> np.ndarray:
    """Scale RGB in 0..255, (N, 3, H, W), to 0..1 and standardize it by ImageNet's statistics.

    Examples:
        >>> import numpy as np
        >>> from fastreid.deploy.embedder import normalized
        >>> batch = np.full((1, 3, 2, 2), 255, np.float32)
        >>> normalized(batch)[0, :, 0, 0].round(3)
        array([2.249, 2.429, 2.64 ], dtype=float32)
    """
    mean = np.array(IMAGENET_MEAN, np.float32).reshape(-1, 1, 1)
    std = np.array(IMAGENET_STD, np.float32).reshape(-1, 1, 1)
    return (batch / np.float32(255) - mean) / std


def _check_size(shape: list, size: tuple[int, int], path: Path) -> None:
    if tuple(shape[2:]) != size:
        raise ValueError(
            f"{path} takes images of {shape[2:]}, but its description says {list(size)}; export "
            "the model again with tools/export.py."
        )


def _open_session(path: Path, device: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "fastreid.deploy needs onnxruntime: pip install onnxruntime (or onnxruntime-gpu)"
        ) from error
    if device not in _PROVIDERS:
        raise ValueError(f"device is {device!r}; it must be one of {list(_PROVIDERS)}.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}; make it with tools/export.py.")
    missing = _PROVIDERS[device][0]
    if missing not in onnxruntime.get_available_providers():
        raise ValueError(
            f"The device {device!r} is not available: this onnxruntime has no {missing}. Install "
            "onnxruntime-gpu, or use device='cpu'."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=_PROVIDERS[device])
    except Exception as error:
        # onnxruntime has no common class for its errors.
        raise ValueError(f"{path} cannot be read as an ONNX model: {error}") from error
