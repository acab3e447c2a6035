"""AugMix (Hendrycks et al., ICLR 2020) with fast-reid's settings: three chains of one step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

_BILINEAR = Image.Resampling.BILINEAR


def _signed(value: float, rng: np.random.Generator) -> float:
    return -value if rng.random() < 0.5 else value


def _warp(image: Image.Image, rows: tuple[float, ...]) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, rows, _BILINEAR)


def _auto_contrast(image: Image.Image, _: float, __: np.random.Generator) -> Image.Image:
    return ImageOps.autocontrast(image)


def _equalize(image: Image.Image, _: float, __: np.random.Generator) -> Image.Image:
    return ImageOps.equalize(image)


def _posterize(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageOps.posterize(image, 4 - int(4 * strength))


def _rotate(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return image.rotate(_signed(int(30 * strength), rng), resample=_BILINEAR)


def _solarize(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageOps.solarize(image, 256 - int(256 * strength))


def _shear_x(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return _warp(image, (1, _signed(0.3 * strength, rng), 0, 0, 1, 0))


def _shear_y(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return _warp(image, (1, 0, 0, _signed(0.3 * strength, rng), 1, 0))


def _translate_x(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return _warp(image, (1, 0, _signed(int(image.width / 3 * strength), rng), 0, 1, 0))


def _translate_y(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return _warp(image, (1, 0, 0, 0, 1, _signed(int(image.height / 3 * strength), rng)))


Operation = Callable[[Image.Image, float, np.random.Generator], Image.Image]

OPERATIONS: tuple[Operation, ...] = (
    _auto_contrast,
    _equalize,
    _posterize,
    _rotate,
    _solarize,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
)


class AugMix:
    """Mix an image with a weighted sum of three augmented copies.

    The weights of the copies are drawn from a Dirichlet distribution, the weight of their sum from
    a Beta distribution, both with parameter 0.1. The strength of an operation is uniform in 0.01 to
    0.1 (severity 1 of 10).

    Args:
        prob: probability, 0 to 1.
    """

    concentration = 0.1
    num_chains = 3
    strength = (0.01, 0.1)

    def __init__(self, *, prob: float) -> None:
        self.prob = prob

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        if rng.random() >= self.prob:
            return image
        weights = rng.dirichlet([self.concentration] * self.num_chains)
        weight_of_sum = rng.beta(self.concentration, self.concentration)
        mixed = (1 - weight_of_sum) * np.asarray(image, dtype=np.float64)
        for weight in weights:
            operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
            altered = operation(image, rng.uniform(*self.strength), rng)
            mixed += weight_of_sum * weight * np.asarray(altered)
        return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))
