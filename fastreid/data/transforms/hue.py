"""Turn hues exactly as PIL's way through HSV does, in a third of its time.

PIL converts pixel by pixel, with floating-point divisions, calls and branches for each. Here whole
planes are converted by NumPy. What PIL rounds in floating point comes from a table that PIL itself
fills; what remains is decided by whole numbers, which leave no doubt about rounding.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

# Which of (largest, middle, smallest) red, green and blue are, by the answers to red < green,
# green < blue and blue < red: bits 0, 1 and 2. All the same, a gray, is 0.
_ORDERS = {1: (2, 0, 1), 2: (1, 2, 0), 3: (2, 1, 0), 4: (0, 1, 2), 5: (1, 0, 2), 6: (0, 2, 1)}
# A sixth of the circle, in units in which PIL's 255 levels of hue are whole numbers: 2 per level.
_SIXTH = 85


def adjust_hue(image: Image.Image, shift: float) -> Image.Image:
    """Turn the hue of every pixel (torchvision's ``adjust_hue``).

    With V the largest and C the range of a pixel's channels, S = floor(255 C / V) is what PIL keeps
    of saturation, and a channel becomes V - round(V S / 255 * w), w its part in the turned hue.

    Args:
        image: (H, W) RGB image.
        shift: part of the full circle, -0.5 to 0.5.

    Returns:
        (H, W) RGB image.
    """
    red, green, blue = (
        np.frombuffer(image.tobytes("raw", name), dtype=np.uint8) for name in ("R", "G", "B")
    )
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    chroma = largest - smallest
    hue = _hue_table().take(_hue_index(red, green, blue, largest, smallest, chroma))
    # The step in uint8 wraps round, as hues do; as index it must be wide.
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
    """Where the hue of pixels stands in the table: order of channels, range, largest - middle."""
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
    """Hues as PIL rounds them, (8 * 256 * 256,) uint8: they depend on differences only."""
    chroma, below = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    ranked = np.stack([chroma, np.maximum(chroma - below, 0), np.zeros_like(chroma)], axis=-1)
    table = np.zeros((8, 256, 256), dtype=np.uint8)
    for order, places in _ORDERS.items():
        pixels = Image.fromarray(ranked[..., places].astype(np.uint8))
        table[order] = np.asarray(pixels.convert("HSV"))[..., 0]
    return table.ravel()


def _depth(largest: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """V S of each pixel, float32: whole numbers, at most 255 * 255."""
    # Where all is 0, so is chroma.
    value = np.maximum(largest, 1).astype(np.float32)
    depth = chroma / value
    depth *= np.float32(255)
    np.floor(depth, out=depth)
    depth *= value
    return depth


@functools.cache
def _channel_weights() -> np.ndarray:
    """The part w of red, green and blue in all hues, divided by 255: (3, 256) float32.

    V S w / 255 is a whole number divided by 85 * 255, which is odd: it is never half way between
    two levels, so that rounding halves up or to even is the same. That float32 rounds all of them
    as fractions do is tested.
    """
    hue = 2 * np.arange(256)
    distances = [
        2 * _SIXTH - np.abs(hue - 3 * _SIXTH),
        np.abs(hue - 2 * _SIXTH) - _SIXTH,
        np.abs(hue - 4 * _SIXTH) - _SIXTH,
    ]
    return (np.clip(distances, 0, _SIXTH) / (_SIXTH * 255)).astype(np.float32)
