"""Random flips, colour changes and affine maps of PIL images, distributed as in torchvision."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance

from .hue import adjust_hue
from .levels import adjust_brightness, adjust_contrast


class RandomHorizontalFlip:
    """Mirror an image left to right.

    Args:
        prob: probability, 0 to 1.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import RandomHorizontalFlip
        >>> image = Image.fromarray(np.array([[1, 2, 3]], np.uint8))
        >>> np.asarray(RandomHorizontalFlip(prob=1.0)(image, np.random.default_rng(0)))
        array([[3, 2, 1]], dtype=uint8)
    """

    def __init__(self, *, prob: float = 0.5) -> None:
        self.prob = prob

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        if rng.random() < self.prob:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image


def _adjust_saturation(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(factor)


class ColorJitter:
    """Change brightness, contrast, saturation and hue by random factors, in random order.

    Args:
        brightness, contrast, saturation: x, for factors uniform in max(0, 1 - x) to 1 + x.
        hue: x, for shifts uniform in -x to x, as a fraction of the full circle; at most 0.5.
    """

    def __init__(
        self, *, brightness: float, contrast: float, saturation: float, hue: float
    ) -> None:
        self.spreads = (
            (adjust_brightness, brightness),
            (adjust_contrast, contrast),
            (_adjust_saturation, saturation),
        )
        self.hue = hue

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        for step in rng.permutation(len(self.spreads) + 1).tolist():
            if step == len(self.spreads):
                image = adjust_hue(image, rng.uniform(-self.hue, self.hue))
            else:
                adjust, spread = self.spreads[step]
                image = adjust(image, rng.uniform(max(0.0, 1 - spread), 1 + spread))
        return image


class RandomAffine:
    """Rotate, scale and shear about the centre: nearest-neighbour sampling, black outside.

    The defaults are those of fast-reid, where the shear is in degrees and hence very small.

    Args:
        degrees: x, for rotations uniform in -x to x degrees.
        scale: minimum and maximum factor.
        shear: x, for horizontal shears uniform in -x to x degrees.
    """

    def __init__(
        self,
        *,
        degrees: float = 10.0,
        scale: tuple[float, float] = (0.9, 1.1),
        shear: float = 0.1,
    ) -> None:
        self.degrees = degrees
        self.scale = scale
        self.shear = shear

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        angle = math.radians(rng.uniform(-self.degrees, self.degrees))
        scale = rng.uniform(*self.scale)
        slant = math.tan(math.radians(rng.uniform(-self.shear, self.shear)))
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        # PIL takes the inverse map, from a pixel of the result to its source.
        inverse = np.linalg.inv(scale * rotation @ np.array([[1.0, -slant], [0.0, 1.0]]))
        centre = np.array([image.width / 2, image.height / 2])
        offset = centre - inverse @ centre
        rows = np.column_stack([inverse, offset]).ravel().tolist()
        return image.transform(
            image.size, Image.Transform.AFFINE, rows, Image.Resampling.NEAREST, fillcolor=0
        )
