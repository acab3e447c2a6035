"""AutoAugment (Cubuk et al., CVPR 2019) with the ImageNet policy of the paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from .levels import adjust_contrast

MAX_LEVEL = 10
_FILL = (128, 128, 128)
_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


class Step(NamedTuple):
    """One operation of a policy: its name, its probability and its level (0 to 10)."""

    name: str
    prob: float
    level: int


# Table 9 of the paper; five pairs occur twice there.
IMAGENET_POLICY = (
    (Step("Posterize", 0.4, 8), Step("Rotate", 0.6, 9)),
    (Step("Solarize", 0.6, 5), Step("AutoContrast", 0.6, 5)),
    (Step("Equalize", 0.8, 8), Step("Equalize", 0.6, 3)),
    (Step("Posterize", 0.6, 7), Step("Posterize", 0.6, 6)),
    (Step("Equalize", 0.4, 7), Step("Solarize", 0.2, 4)),
    (Step("Equalize", 0.4, 4), Step("Rotate", 0.8, 8)),
    (Step("Solarize", 0.6, 3), Step("Equalize", 0.6, 7)),
    (Step("Posterize", 0.8, 5), Step("Equalize", 1.0, 2)),
    (Step("Rotate", 0.2, 3), Step("Solarize", 0.6, 8)),
    (Step("Equalize", 0.6, 8), Step("Posterize", 0.4, 6)),
    (Step("Rotate", 0.8, 8), Step("Color", 0.4, 0)),
    (Step("Rotate", 0.4, 9), Step("Equalize", 0.6, 2)),
    (Step("Equalize", 0.0, 7), Step("Equalize", 0.8, 8)),
    (Step("Invert", 0.6, 4), Step("Equalize", 1.0, 8)),
    (Step("Color", 0.6, 4), Step("Contrast", 1.0, 8)),
    (Step("Rotate", 0.8, 8), Step("Color", 1.0, 2)),
    (Step("Color", 0.8, 8), Step("Solarize", 0.8, 7)),
    (Step("Sharpness", 0.4, 7), Step("Invert", 0.6, 8)),
    (Step("ShearX", 0.6, 5), Step("Equalize", 1.0, 9)),
    (Step("Color", 0.4, 0), Step("Equalize", 0.6, 3)),
    (Step("Equalize", 0.4, 7), Step("Solarize", 0.2, 4)),
    (Step("Solarize", 0.6, 5), Step("AutoContrast", 0.6, 5)),
    (Step("Invert", 0.6, 4), Step("Equalize", 1.0, 8)),
    (Step("Color", 0.6, 4), Step("Contrast", 1.0, 8)),
    (Step("Equalize", 0.8, 8), Step("Equalize", 0.6, 3)),
)


def _random_filter(rng: np.random.Generator) -> Image.Resampling:
    return _FILTERS[int(rng.integers(len(_FILTERS)))]


def _random_sign(value: float, rng: np.random.Generator) -> float:
    return -value if rng.random() < 0.5 else value


def _rotate(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    degrees = _random_sign(30 * strength, rng)
    return image.rotate(degrees, resample=_random_filter(rng), fillcolor=_FILL)


def _shear_x(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    rows = (1, _random_sign(0.3 * strength, rng), 0, 0, 1, 0)
    return image.transform(
        image.size, Image.Transform.AFFINE, rows, _random_filter(rng), fillcolor=_FILL
    )


def _posterize(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageOps.posterize(image, 4 + int(4 * strength))


def _solarize(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageOps.solarize(image, int(256 * strength))


def _auto_contrast(image: Image.Image, _: float, __: np.random.Generator) -> Image.Image:
    return ImageOps.autocontrast(image)


def _equalize(image: Image.Image, _: float, __: np.random.Generator) -> Image.Image:
    return ImageOps.equalize(image)


def _invert(image: Image.Image, _: float, __: np.random.Generator) -> Image.Image:
    return ImageOps.invert(image)


def _color(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageEnhance.Color(image).enhance(0.1 + 1.8 * strength)


def _contrast(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return adjust_contrast(image, 0.1 + 1.8 * strength)


def _sharpness(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return ImageEnhance.Sharpness(image).enhance(0.1 + 1.8 * strength)


Operation = Callable[[Image.Image, float, np.random.Generator], Image.Image]

OPERATIONS: dict[str, Operation] = {
    "AutoContrast": _auto_contrast,
    "Color": _color,
    "Contrast": _contrast,
    "Equalize": _equalize,
    "Invert": _invert,
    "Posterize": _posterize,
    "Rotate": _rotate,
    "Sharpness": _sharpness,
    "ShearX": _shear_x,
    "Solarize": _solarize,
}


class AutoAugment:
    """Apply one of the 25 pairs of the policy, drawn uniformly; the fill colour is gray (128)."""

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        for step in IMAGENET_POLICY[int(rng.integers(len(IMAGENET_POLICY)))]:
            if rng.random() < step.prob:
                image = OPERATIONS[step.name](image, step.level / MAX_LEVEL, rng)
        return image
