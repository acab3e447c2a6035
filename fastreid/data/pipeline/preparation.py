"""The job of a data worker: read images, transform them, and pack them for the main process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from ..data_utils import ImageError, read_image

ImageTransform = Callable[[Image.Image, np.random.Generator], np.ndarray]


def prepare_images(
    transforms: ImageTransform,
    rows: Sequence[tuple[str, tuple[int, ...]]],
    *,
    keep_errors: bool = False,
) -> list[np.ndarray | ImageError]:
    """Read and transform images; each image has its own random generator.

    Args:
        transforms: called with an RGB image and a generator; gives (3, H, W) uint8 or float32,
            0 to 255.
        rows: path and random key of each image; equal keys give equal augmentation.
        keep_errors: return the error of an unreadable image in its place, instead of raising it.

    Returns:
        (3, H, W) arrays: uint8 if all values are integers, which takes a quarter of the bytes
        between processes, else float32.

    Raises:
        ImageError: an image cannot be read or transformed; the message names the file.
    """
    prepared: list[np.ndarray | ImageError] = []
    for path, key in rows:
        try:
            image = read_image(path)
        except ImageError as error:
            if not keep_errors:
                raise
            prepared.append(error)
        else:
            prepared.append(_pack(_transform(transforms, image, path, key)))
    return prepared


def _transform(
    transforms: ImageTransform, image: Image.Image, path: str, key: tuple[int, ...]
) -> np.ndarray:
    try:
        return transforms(image, np.random.default_rng(key))
    except Exception as error:
        raise ImageError(
            f"Image file {path} cannot be augmented: {type(error).__name__}: {error}."
        ) from error


def _pack(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    small = image.astype(np.uint8)
    return small if np.array_equal(small, image) else image
