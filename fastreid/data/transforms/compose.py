"""Compose transforms. A transform is a callable on an image and a random generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

Transform = Callable[[Image.Image, np.random.Generator], Image.Image]
ArrayTransform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Compose:
    """Apply transforms one after another.

    Args:
        transforms: callables ``transform(image, rng)``, in order.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import Compose, Resize, ToTensor
        >>> transform = Compose([Resize((256, 128)), ToTensor()])
        >>> array = transform(Image.new("RGB", (60, 120), "red"), np.random.default_rng(0))
        >>> array.shape, array[:, 0, 0].tolist()
        ((3, 256, 128), [255.0, 0.0, 0.0])
    """

    def __init__(self, transforms: Sequence[Callable[[Any, np.random.Generator], Any]]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """Apply all transforms to an image.

        Args:
            image: (H, W) RGB image.
            rng: source of all random numbers.

        Returns:
            The result of the last transform: (3, H, W), 0 to 255, where it is ``ToTensor``.
        """
        result: Any = image
        for transform in self.transforms:
            result = transform(result, rng)
        return result


class RandomApply:
    """Apply a transform with some probability.

    Args:
        transform: callable ``transform(image, rng)``.
        prob: probability, 0 to 1.
    """

    def __init__(self, transform: Transform, *, prob: float) -> None:
        self.transform = transform
        self.prob = prob

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        return self.transform(image, rng) if rng.random() < self.prob else image


class ToTensor:
    """Turn an RGB image into a (3, H, W) array, 0 to 255 (not 0 to 1, as in fast-reid).

    Args:
        dtype: type of the array: float32, or uint8 for batches that are converted later.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import ToTensor
        >>> image = Image.new("RGB", (2, 1), (255, 128, 0))
        >>> array = ToTensor()(image, np.random.default_rng(0))
        >>> array.shape, array.dtype.name, array[:, 0, 0].tolist()
        ((3, 1, 2), 'float32', [255.0, 128.0, 0.0])
    """

    def __init__(self, *, dtype: type = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """Transform an image, without random numbers."""
        planes = bytearray().join(image.tobytes("raw", name) for name in image.getbands())
        array = np.frombuffer(planes, dtype=np.uint8).reshape(-1, image.height, image.width)
        return array.astype(self.dtype, copy=False)
