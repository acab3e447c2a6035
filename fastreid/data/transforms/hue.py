"""Rotate hues with the exact results of PIL's conversion through HSV, in a third of the time.

PIL converts pixel by pixel. Here NumPy converts whole planes: results that PIL rounds in floating
point come from a table that PIL fills, the rest is integer arithmetic.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

# Bits 0, 1 and 2 of the key: red < green, green < blue, blue < red; a gray has key 0. Value: rank
# of red, green and blue in (largest, middle, smallest).
_ORDERS = {1: (2, 0, 1), 2: (1, 2, 0), 3: (2, 1, 0), 4: (0, 1, 2), 5: (1, 0, 2), 6: (0, 2, 1)}
# A sixth of the circle, in units of half a level of PIL's 255 levels of hue.
_SIXTH = 85


def adjust_hue(image: Image.Image, shift: float) -> Image.Image:
    """Rotate the hue of every pixel (torchvision's ``adjust_hue``).

    Let V be the largest and C the range of a pixel's channels. PIL's saturation is
    S = floor(255 C / V), and a channel becomes V - round(V S / 255 * w), where w is the weight of
    the channel in the rotated hue.

    Args:
        image: (H, W) RGB image.
        shift: fraction of the full circle, -0.5 to 0.5.

    Returns:
        (H, W) RGB image.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.data.transforms.hue import adjust_hue
        >>> red = Image.new("RGB", (1, 1), (255, 0, 0))
        >>> adjust_hue(red, 1 / 3).getpixel((0, 0))  # green
        (0, 255, 0)
    """
    red, green, blue = (
        np.frombuffer(image.tobytes("raw", name), dtype=np.uint8) for name in ("R", "G", "B")
    )
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    chroma = largest - smallest
    hue = _hue_table().take(_hue_index(red, green, blue, largest, smallest, chroma))
    # Addition in uint8 wraps around, as hues do; an index needs a wider type.
    hue = (hue + np.uint8(int(shift * 255) % 256)).astype(np.intp)
    depth = _depth(largest, chroma)
    planes = []
    for weights in _channel_weights():
        below = weights.take(hue)
        below *= depth
        np.rint(below, out=below)
        planes.append(Image.frombuffer("L", image.size, largest - below.astype(np.uint8)))
    return Image.merge("RGB", planes)


def _hue_index(
    red: np.ndarray,
    green: np.ndarray,
    blue: np.ndarray,
    largest: np.ndarray,
    smallest: np.ndarray,
    chroma: np.ndarray,
) -> np.ndarray:
    """Compute indices into the table of hues: order of channels, range, largest - middle."""
    order = (blue < red).view(np.uint8)
    for is_less in (green < blue, red < green):
        order = order + order
        order += is_less.view(np.uint8)
    middle = red ^ green ^ blue ^ largest ^ smallest
    index = order.astype(np.uint32)
    for part in (chroma, largest - middle):
        index <<= 8
        index |= part
    return index.astype(np.intp)


@functools.cache
def _hue_table() -> np.ndarray:
    """Tabulate hues as PIL rounds them, (8 * 256 * 256,) uint8; they depend on differences only."""
    chroma, below = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    ranked = np.stack([chroma, np.maximum(chroma - below, 0), np.zeros_like(chroma)], axis=-1)
    table = np.zeros((8, 256, 256), dtype=np.uint8)
    for order, places in _ORDERS.items():
        pixels = Image.fromarray(ranked[..., places].astype(np.uint8))
        table[order] = np.asarray(pixels.convert("HSV"))[..., 0]
    return table.ravel()


def _depth(largest: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Compute V S of each pixel: float32 with integer values of at most 255 * 255."""
    # Where the largest channel is 0, chroma is 0 too.
    value = np.maximum(largest, 1).astype(np.float32)
    depth = chroma / value
    depth *= np.float32(255)
    np.floor(depth, out=depth)
    depth *= value
    return depth


@functools.cache
def _channel_weights() -> np.ndarray:
    """Tabulate the weight w of red, green and blue in each hue, divided by 255: (3, 256) float32.

    V S w / 255 is an integer divided by 85 * 255, which is odd. It is never halfway between two
    levels, so rounding half up and rounding half to even agree. A test compares float32 with exact
    fractions for all values.
    """
    hue = 2 * np.arange(256)
    distances = [
        2 * _SIXTH - np.abs(hue - 3 * _SIXTH),
        np.abs(hue - 2 * _SIXTH) - _SIXTH,
        np.abs(hue - 4 * _SIXTH) - _SIXTH,
    ]
    return (np.clip(distances, 0, _SIXTH) / (_SIXTH * 255)).astype(np.float32)
