"""Equality is exact everywhere: not one level of one pixel may differ from PIL."""

import colorsys

import numpy as np
import pytest
from PIL import Image

from fastreid.data.transforms.hue import _channel_weights, adjust_hue

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8)


def through_hsv(image: Image.Image, steps: int) -> Image.Image:
    """As torchvision does it, with PIL."""
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + steps) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def all_colours(reds) -> Image.Image:
    """All greens and blues with some reds."""
    grid = np.meshgrid(reds, np.arange(256), np.arange(256), indexing="ij")
    return Image.fromarray(np.stack(grid, axis=-1).astype(np.uint8).reshape(-1, 256, 3))


def assert_as_pil(image: Image.Image, steps: int) -> None:
    # The middle of the step: int(shift * 255) cuts off towards 0.
    shift = (steps + 0.5 * np.sign(steps)) / 255
    np.testing.assert_array_equal(adjust_hue(image, shift), through_hsv(image, steps))


@pytest.mark.parametrize("reds", np.split(np.arange(256), 4), ids=lambda reds: f"red{reds[0]}")
def test_every_colour_is_turned_as_pil_does_it(reds):
    assert_as_pil(all_colours(reds), 17)


@pytest.mark.parametrize("steps", [*range(-127, 128, 11), -1, 0, 1])
def test_every_step_is_pils(steps):
    # A sixteenth of all colours, others for each step.
    assert_as_pil(all_colours(np.arange(steps % 16, 256, 16)), steps)


def test_float32_rounds_what_lies_below_the_largest_channel_as_fractions_do():
    depth = np.arange(255 * 255 + 1)
    weights = np.unique(_channel_weights())
    numerators = np.rint(weights * np.float64(85 * 255)).astype(int)
    assert numerators.tolist() == [0, *range(1, 86, 2)]
    for weight, numerator in zip(weights, numerators):
        # Half up, in whole numbers.
        exact = (2 * depth * numerator + 85 * 255) // (2 * 85 * 255)
        np.testing.assert_array_equal(np.rint(depth.astype(np.float32) * weight), exact)


def test_half_a_turn_either_way_is_allowed():
    image = Image.fromarray(PIXELS)
    for shift, steps in ((0.5, 127), (-0.5, -127)):
        np.testing.assert_array_equal(adjust_hue(image, shift), through_hsv(image, steps))


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.1, 0.5])
def test_hue_turns_by_its_part_of_the_circle(shift):
    got = np.asarray(adjust_hue(Image.fromarray(PIXELS), shift), dtype=float)
    expected = np.empty_like(got)
    for place in np.ndindex(PIXELS.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(PIXELS[place] / 255))
        expected[place] = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
    # PIL keeps hue in 256 steps, each worth up to 6 levels; up to three roundings add up.
    assert np.abs(got - 255 * expected).max() < 18
    assert np.abs(got - 255 * expected).mean() < 3


def test_the_image_is_left_alone_and_the_result_can_be_changed():
    image = Image.fromarray(PIXELS)
    turned = adjust_hue(image, 0.2)
    np.testing.assert_array_equal(image, PIXELS)
    turned.paste((1, 2, 3), (0, 0, 8, 12))
    assert np.asarray(turned).reshape(-1, 3).max(axis=0).tolist() == [1, 2, 3]
