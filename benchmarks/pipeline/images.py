"""Image files with random textures, in the image sizes of Market-1501 and MSMT17."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

# Sizes of the texture's cells, in pixels, and its noise, which determines the size of the file.
_SCALES = (4, 12, 40)
_NOISE = 5.0


def _market1501(_: np.random.Generator) -> tuple[int, int]:
    return 128, 64


def _msmt17(rng: np.random.Generator) -> tuple[int, int]:
    height = int(rng.integers(200, 460))
    return height, int(height * rng.uniform(0.3, 0.5))


# A function that draws height and width, and the JPEG quality, by domain.
DOMAINS: dict[str, tuple[Callable[[np.random.Generator], tuple[int, int]], int]] = {
    "Market1501": (_market1501, 90),
    "MSMT17": (_msmt17, 90),
}


def write_images(folder: Path, images_per_domain: int, *, seed: int = 0) -> list[list]:
    """Write JPEG files of all domains.

    Args:
        folder: an existing folder for the files.
        images_per_domain: number of images per domain.
        seed: random seed; the same seed gives the same files.

    Returns:
        [path, pid, camid] of every file, as in training data sets.
    """
    rng = np.random.default_rng(seed)
    items = []
    for name, (draw_size, quality) in DOMAINS.items():
        for number in range(images_per_domain):
            path = folder / f"{name}_{number:05d}.jpg"
            _texture(*draw_size(rng), rng).save(path, quality=quality)
            items.append([str(path), f"{name}_{number // 4}", f"{name}_{number % 4}"])
    return items


def _texture(height: int, width: int, rng: np.random.Generator) -> Image.Image:
    pixels = rng.normal(0, _NOISE, (height, width, 3))
    for scale in _SCALES:
        cells = rng.integers(0, 256, (-(-height // scale), -(-width // scale), 3), dtype=np.uint8)
        smooth = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        pixels += np.asarray(smooth) / len(_SCALES)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
