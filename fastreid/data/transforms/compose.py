"""Put transforms together. Each one is called with an image and a random generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

Transform = Callable[[Image.Image, np.random.Generator], Image.Image]


class Compose:
    """Apply transforms one after another.

    Args:
        transforms: called as ``transform(image, rng)``, in this order.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """Run an image through all of them.

        Args:
            image: (H, W) RGB image.
            rng: where every random choice comes from.

        Returns:
            What the last transform returns: (3, H, W), 0 to 255, after ``ToTensor``.
        """
        for transform in self.transforms:
            image = transform(image, rng)
        return image


class RandomApply:
    """Apply a transform with some probability.

    Args:
        transform: called as ``transform(image, rng)``.
        prob: probability, 0 to 1.
    """

    def __init__(self, transform: Transform, *, prob: float) -> None:
        self.transform = transform
        self.prob = prob

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image; every random choice comes from ``rng``."""
        return self.transform(image, rng) if rng.random() < self.prob else image


class ToTensor:
    """Turn an RGB image into a (3, H, W) array, 0 to 255 (not 0 to 1, as in fast-reid).

    Args:
        dtype: of the array: float32, or uint8 where whole batches become float32 later.
    """

    def __init__(self, *, dtype: type = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """Transform an image; nothing here is random."""
        planes = bytearray().join(image.tobytes("raw", name) for name in image.getbands())
        array = np.frombuffer(planes, dtype=np.uint8).reshape(-1, image.height, image.width)
        return array.astype(self.dtype, copy=False)
