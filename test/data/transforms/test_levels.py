"""Equality is exact everywhere: not one level of one pixel may differ from PIL."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from fastreid.data.transforms.levels import adjust_brightness, adjust_contrast

FACTORS = [0.0, 0.1, 0.85, 0.999, 1.0, 1.15, 1.9, 3.0]


def images():
    rng = np.random.default_rng(0)
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    noise = rng.integers(0, 256, (33, 17, 3), dtype=np.uint8)
    dark = rng.integers(0, 20, (5, 7, 3), dtype=np.uint8)
    # A mean of exactly 127.5, which is rounded up.
    halves = np.array([[[127] * 3, [128] * 3]], dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in (ramp, noise, dark, halves)]


@pytest.mark.parametrize("factor", [*FACTORS, *np.random.default_rng(1).uniform(0, 2, 20).tolist()])
@pytest.mark.parametrize(
    ("adjust", "enhancer"),
    [(adjust_brightness, ImageEnhance.Brightness), (adjust_contrast, ImageEnhance.Contrast)],
)
def test_brightness_and_contrast_equal_those_of_pil(adjust, enhancer, factor):
    for image in images():
        before = np.array(image)
        np.testing.assert_array_equal(adjust(image, factor), enhancer(image).enhance(factor))
        np.testing.assert_array_equal(image, before)


def test_black_and_flat_are_the_ends():
    for image in images():
        assert np.asarray(adjust_brightness(image, 0.0)).max() == 0
        assert np.unique(np.asarray(adjust_contrast(image, 0.0))).size == 1
