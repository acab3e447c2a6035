"""Brightness and contrast with the exact results of PIL's ImageEnhance, but faster.

Both blend every channel of every pixel with one gray. The result is a table of 256 levels, which
PIL's blend computes.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image


def adjust_brightness(image: Image.Image, factor: float) -> Image.Image:
    """Blend with black (torchvision's ``adjust_brightness``).

    Args:
        image: (H, W) RGB image.
        factor: 0 for black, 1 for the image itself; at least 0.

    Returns:
        (H, W) RGB image.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.data.transforms.levels import adjust_brightness
        >>> image = Image.new("RGB", (1, 1), (100, 150, 200))
        >>> [adjust_brightness(image, factor).getpixel((0, 0)) for factor in (0.0, 0.5, 1.5)]
        [(0, 0, 0), (50, 75, 100), (150, 225, 255)]
    """
    return _blend_with_gray(image, 0, factor)


def adjust_contrast(image: Image.Image, factor: float) -> Image.Image:
    """Blend with the mean gray of the image (torchvision's ``adjust_contrast``).

    Args:
        image: (H, W) RGB image.
        factor: 0 for gray, 1 for the image itself; at least 0.

    Returns:
        (H, W) RGB image.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.data.transforms.levels import adjust_contrast
        >>> image = Image.new("RGB", (2, 1), (50, 50, 50))
        >>> image.putpixel((0, 0), (150, 150, 150))
        >>> [adjust_contrast(image, factor).getpixel((0, 0))[0] for factor in (0.0, 0.5, 1.0)]
        [100, 125, 150]
    """
    counts = np.array(image.convert("L").histogram())
    mean = int(counts @ np.arange(256)) / (image.width * image.height)
    return _blend_with_gray(image, int(mean + 0.5), factor)


def _blend_with_gray(image: Image.Image, gray: int, factor: float) -> Image.Image:
    levels = _all_levels()
    table = Image.blend(Image.new("L", levels.size, gray), levels, factor).tobytes()
    return image.point(list(table) * 3)


@functools.cache
def _all_levels() -> Image.Image:
    return Image.frombytes("L", (256, 1), bytes(range(256)))
