"""Resize, pad and crop PIL images. Sizes are (height, width) in pixels."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

_PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


class Resize:
    """Resize with PIL's bicubic filter, which smooths when it shrinks.

    Args:
        size: (height, width), or one number: the length of the shorter side.
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.size = tuple(size)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image; nothing here is random."""
        if len(self.size) == 2:
            height, width = self.size
        else:
            shorter = min(image.size)
            width, height = (int(self.size[0] * side / shorter) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)


class Pad:
    """Widen an image on all four sides.

    Args:
        padding: pixels per side.
        mode: "constant" (black), "edge", "reflect" or "symmetric", as in ``numpy.pad``.

    Raises:
        ValueError: ``mode`` is another one.
    """

    def __init__(self, padding: int, *, mode: str = "constant") -> None:
        if mode not in _PADDING_MODES:
            raise ValueError(f"INPUT.PADDING.MODE is {mode!r}; it can be one of {_PADDING_MODES}.")
        self.padding = padding
        self.mode = mode

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image; nothing here is random."""
        if self.mode == "constant":
            return ImageOps.expand(image, self.padding, fill=0)
        sides = ((self.padding, self.padding), (self.padding, self.padding), (0, 0))
        return Image.fromarray(np.pad(np.asarray(image), sides, mode=self.mode))


class RandomCrop:
    """Cut out a window at a random place.

    Args:
        size: (height, width), or one number for a square; no image may be smaller.
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.height, self.width = size[0], size[-1]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image; every random choice comes from ``rng``."""
        if image.width < self.width or image.height < self.height:
            raise ValueError(
                f"a crop of {self.height}x{self.width} does not fit into an image of "
                f"{image.height}x{image.width}; see INPUT.SIZE_TRAIN and INPUT.CROP.SIZE"
            )
        top = int(rng.integers(image.height - self.height + 1))
        left = int(rng.integers(image.width - self.width + 1))
        return image.crop((left, top, left + self.width, top + self.height))


class RandomResizedCrop:
    """Cut out a window of random area and shape and resize it (torchvision's transform).

    After ten windows that do not fit, the largest central one of allowed shape is taken.

    Args:
        size: (height, width) of the result, or one number for a square.
        scale: least and largest share of the image's area.
        ratio: least and largest width / height of the window.
    """

    def __init__(
        self,
        size: tuple[int, ...],
        *,
        scale: tuple[float, float],
        ratio: tuple[float, float],
    ) -> None:
        self.height, self.width = size[0], size[-1]
        self.scale = scale
        self.ratio = ratio

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image; every random choice comes from ``rng``."""
        left, top, width, height = self._window(image.width, image.height, rng)
        return image.resize(
            (self.width, self.height),
            Image.Resampling.BICUBIC,
            box=(left, top, left + width, top + height),
        )

    def _window(
        self, image_width: int, image_height: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int]:
        for _ in range(10):
            area = image_width * image_height * rng.uniform(*self.scale)
            shape = math.exp(rng.uniform(*np.log(self.ratio)))
            width, height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < width <= image_width and 0 < height <= image_height:
                top = int(rng.integers(image_height - height + 1))
                left = int(rng.integers(image_width - width + 1))
                return left, top, width, height
        shape = min(max(image_width / image_height, self.ratio[0]), self.ratio[1])
        width = min(image_width, round(image_height * shape))
        height = min(image_height, round(image_width / shape))
        return (image_width - width) // 2, (image_height - height) // 2, width, height


class CenterCrop:
    """Cut out the middle; an image smaller than the window gets black borders.

    Args:
        size: (height, width), or one number for a square.
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.height, self.width = size[0], size[-1]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image; nothing here is random."""
        top = round((image.height - self.height) / 2)
        left = round((image.width - self.width) / 2)
        # PIL fills what lies outside the image with black.
        return image.crop((left, top, left + self.width, top + self.height))
