"""Maps drawn over pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

# Where a place adds to the similarity, and where it makes two images less similar.
ADDS, REMOVES = (214, 39, 40), (31, 98, 189)
# Share of the colour where a map has its largest value.
_OPACITY = 0.8


def to_picture(batch: np.ndarray) -> np.ndarray:
    """Convert the first image of a batch, as the model gets it, to a picture.

    Args:
        batch: (N, 3, H, W), RGB, 0 to 255.

    Returns:
        (H, W, 3) uint8.
    """
    return np.clip(np.rint(batch[0]), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def resize_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate a map linearly.

    Args:
        values: (h, w).
        size: height and width of the result.

    Returns:
        (*size) float32, whose values lie between those of the map.
    """
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def draw_map(
    picture: np.ndarray, values: np.ndarray, *, largest: float | None = None
) -> np.ndarray:
    """Draw a map over a picture: positive values red, negative ones blue.

    Args:
        picture: (H, W, 3) uint8.
        values: (h, w), any size.
        largest: absolute value with the full colour; None: the largest one of the map.

    Returns:
        (H, W, 3) uint8, the picture in gray under the colours.
    """
    if largest is None:
        largest = float(np.abs(values).max())
    height, width = picture.shape[:2]
    resized = resize_map(values, (height, width))[..., None]
    share = _OPACITY * np.clip(np.abs(resized) / max(largest, 1e-30), 0, 1)
    colour = np.where(resized > 0, np.array(ADDS), np.array(REMOVES))
    gray = picture.mean(axis=2, keepdims=True)
    return np.rint(gray * (1 - share) + colour * share).astype(np.uint8)
