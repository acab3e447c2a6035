"""Features from an exported ONNX file, without MindSpore."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .model_info import IMAGENET_MEAN, IMAGENET_STD, NORMALIZED, ModelInfo
from .pictures import check_batch, is_batch, open_pictures, prepared

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# "auto": CUDA, if this onnxruntime has it, else the processor.
_AUTO = "auto"
_PROVIDERS = {"cpu": _CPU, "cuda": _CUDA, "gpu": _CUDA}


class Embedder:
    """Compute the features of pictures with an exported model.

    Args:
        path: a file of ``tools/export.py``.
        device: "cpu", or "cuda" (also "gpu") for an NVIDIA GPU, optionally with its number, such as
            "cuda:1"; "auto": the GPU if onnxruntime can use one, else the processor.
        batch_size: how many images run at once.
        threads: threads of the processor that the model may use; 0: all.

    Raises:
        ImportError: if onnxruntime is not installed.
        FileNotFoundError: if there is no such file.
        ValueError: if it is no exported model, or the device is unknown or not available.

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
        given, result = self._session.get_inputs()[0], self._session.get_outputs()[0]
        self._input = given.name
        _check_shapes(given.shape, result.shape, self.info, self.path)

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
            batch = normalized(batch, self.info)
        return self._session.run(None, {self._input: batch})[0]

    def _nothing(self) -> np.ndarray:
        return np.zeros((0, self.info.dimension), np.float32)


def normalized(batch: np.ndarray, info: ModelInfo | None = None) -> np.ndarray:
    """Scale RGB in 0..255, (N, 3, H, W), to 0..1 and standardize it.

    Args:
        batch: the images.
        info: has the mean and standard deviation; None, or without them: those of ImageNet.

    Examples:
        >>> import numpy as np
        >>> from fastreid.deploy.embedder import normalized
        >>> batch = np.full((1, 3, 2, 2), 255, np.float32)
        >>> normalized(batch)[0, :, 0, 0].round(3)
        array([2.249, 2.429, 2.64 ], dtype=float32)
    """
    mean = np.array((info and info.mean) or IMAGENET_MEAN, np.float32).reshape(-1, 1, 1)
    std = np.array((info and info.std) or IMAGENET_STD, np.float32).reshape(-1, 1, 1)
    return (batch / np.float32(255) - mean) / std


def _check_shapes(given: list, result: list, info: ModelInfo, path: Path) -> None:
    """Compare the input (N, 3, H, W) and output (N, D) of a file with its description.

    Axes whose length is free have a name, or None, instead of a number.
    """
    again = "export the model again with tools/export.py."
    if tuple(given[2:]) != info.size:
        raise ValueError(
            f"{path} takes images of {given[2:]}, but its description says {list(info.size)}; "
            f"{again}"
        )
    if isinstance(result[-1], int) and result[-1] != info.dimension:
        raise ValueError(
            f"{path} gives features of {result[-1]} dimensions, but its description says "
            f"{info.dimension}; {again}"
        )


def _open_session(path: Path, device: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "fastreid.deploy needs onnxruntime: pip install onnxruntime (or onnxruntime-gpu)"
        ) from error
    available = onnxruntime.get_available_providers()
    provider, index = _provider_of(device, available)
    if threads < 0:
        raise ValueError(f"threads is {threads}; it must be at least 0, which takes all.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}; make it with tools/export.py.")
    if provider not in available:
        raise ValueError(
            f"The device {device!r} is not available: this onnxruntime has no {provider}. Install "
            "onnxruntime-gpu, or use device='cpu'."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    providers: list = [_CPU] if provider == _CPU else [(_CUDA, {"device_id": index}), _CPU]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # onnxruntime has no common class for its errors.
        raise ValueError(
            f"{path} cannot be read as an ONNX model: {str(error).rstrip('.')}. Export it again "
            "with tools/export.py --output FILE.onnx."
        ) from error
    # onnxruntime takes the processor if CUDA does not start.
    if device.lower() != _AUTO and provider not in session.get_providers():
        raise ValueError(
            f"The device {device!r} is not available: onnxruntime has {provider}, but it does not "
            "start. Check the GPU, CUDA and cuDNN, or use device='cpu'."
        )
    return session


def _provider_of(device: str, available: Sequence[str]) -> tuple[str, int]:
    """Return the provider of a device and the number of the GPU."""
    kind, colon, index = str(device).lower().partition(":")
    if kind == _AUTO and not colon:
        return (_CUDA if _CUDA in available else _CPU), 0
    if kind not in _PROVIDERS:
        raise ValueError(
            f"device is {device!r}; it must be one of {[_AUTO, *_PROVIDERS]}, of a GPU "
            "optionally with its number, such as cuda:1."
        )
    if colon and not index.isdecimal():
        raise ValueError(f"device is {device!r}; the colon must be followed by a device number.")
    return _PROVIDERS[kind], int(index or 0)
