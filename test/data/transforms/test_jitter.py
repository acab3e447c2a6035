import numpy as np
import pytest
from PIL import Image, ImageEnhance

from fastreid.data.transforms import (
    ColorJitter,
    Compose,
    RandomAffine,
    RandomApply,
    RandomHorizontalFlip,
    ToTensor,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8)
IMAGE = Image.fromarray(PIXELS)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def gray(pixels):
    return pixels @ np.array([0.299, 0.587, 0.114])


class Fixed:
    """A generator whose uniform draws are given, one after another."""

    def __init__(self, *draws, order=(0, 1, 2, 3)):
        self.draws = list(draws)
        self.order = np.array(order)

    def permutation(self, _):
        return self.order

    def uniform(self, low, high):
        value = self.draws.pop(0)
        assert low <= value <= high
        return value


def test_flip_mirrors_left_and_right_with_its_probability(rng):
    flips = [np.asarray(RandomHorizontalFlip(prob=0.3)(IMAGE, rng)) for _ in range(2000)]
    mirrored = [np.array_equal(flip, PIXELS[:, ::-1]) for flip in flips]
    assert all(m or np.array_equal(f, PIXELS) for m, f in zip(mirrored, flips))
    assert abs(np.mean(mirrored) - 0.3) < 0.04


def test_random_apply_has_its_probability(rng):
    apply = RandomApply(lambda image, rng: image + 1, prob=0.2)
    assert abs(np.mean([apply(0, rng) for _ in range(5000)]) - 0.2) < 0.02


def jitter(**spreads):
    given = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, **spreads}
    return ColorJitter(**given)


@pytest.mark.parametrize(("name", "place"), [("brightness", 0), ("contrast", 1), ("saturation", 2)])
def test_factors_blend_with_black_mean_gray_or_own_gray(name, place):
    factor = 1.4
    draws = [1.0, 1.0, 1.0, 0.0]
    draws[place] = factor
    got = np.asarray(jitter(**{name: 0.5})(IMAGE, Fixed(*draws)), dtype=float)
    other = {
        "brightness": np.zeros(()),
        "contrast": np.round(gray(PIXELS).mean()),
        "saturation": gray(PIXELS)[..., None],
    }[name]
    # The hue step with shift 0 goes through HSV and rounds, by at most a few levels.
    expected = (other + factor * (PIXELS - other)).clip(0, 255)
    assert np.abs(got - expected).mean() < 2
    assert np.abs(got - expected).max() < 10


def test_factors_never_go_below_zero():
    jitter(brightness=3.0)(IMAGE, Fixed(0.0, 1.0, 1.0, 0.0))


def test_the_four_changes_come_in_the_drawn_order():
    dark_first = jitter(brightness=1.0, contrast=1.0)(IMAGE, Fixed(0.0, 1.0, 1.0, 0.0))
    assert np.asarray(dark_first).max() == 0
    flat_first = jitter(brightness=1.0, contrast=1.0)(
        IMAGE, Fixed(0.0, 1.0, 1.0, 0.0, order=(1, 0, 2, 3))
    )
    assert np.unique(np.asarray(flat_first)).size == 1
    assert np.asarray(flat_first).max() > 0


@pytest.mark.parametrize("seed", range(12))
def test_jitter_is_what_pils_enhancers_give(seed):
    change = ColorJitter(brightness=0.15, contrast=0.15, saturation=0.1, hue=0.1)
    rng = np.random.default_rng(seed)
    expected = IMAGE
    for step in rng.permutation(4).tolist():
        if step < 3:
            spread = (0.15, 0.15, 0.1)[step]
            factor = rng.uniform(1 - spread, 1 + spread)
            names = ("Brightness", "Contrast", "Color")
            expected = getattr(ImageEnhance, names[step])(expected).enhance(factor)
        else:
            steps = int(rng.uniform(-0.1, 0.1) * 255)
            hue, saturation, value = expected.convert("HSV").split()
            hue = Image.fromarray(np.asarray(hue) + np.uint8(steps % 256))
            expected = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    np.testing.assert_array_equal(change(IMAGE, np.random.default_rng(seed)), expected)


def test_jitter_depends_on_the_generator_only():
    change = ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
    one, again, other = (change(IMAGE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_affine_of_nothing_is_the_image(rng):
    still = RandomAffine(degrees=0, scale=(1, 1), shear=0)
    np.testing.assert_array_equal(still(IMAGE, rng), PIXELS)


def test_affine_scales_about_the_centre(rng):
    double = RandomAffine(degrees=0, scale=(2, 2), shear=0)
    expected = np.repeat(np.repeat(PIXELS[3:9, 2:6], 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(double(IMAGE, rng), expected)


def test_affine_rotates_clockwise_as_torchvision_does():
    quarter = RandomAffine(degrees=90, scale=(1, 1), shear=0)
    square = IMAGE.crop((0, 0, 8, 8))
    turned = np.asarray(quarter(square, Fixed(90.0, 1.0, 0.0)))
    np.testing.assert_array_equal(turned, np.rot90(PIXELS[:8], -1))


def test_affine_shears_rows_and_fills_with_black():
    slant = RandomAffine(degrees=0, scale=(1, 1), shear=45)
    got = np.asarray(slant(Image.new("RGB", (8, 8), "white"), Fixed(0.0, 1.0, 45.0)))[..., 0]
    # x' = x - (y - centre): a row far below the centre moves left, far above moves right.
    assert got[7, :4].min() == 255
    assert got[7, 5:].max() == 0
    assert got[0, 4:].min() == 255
    assert got[0, :3].max() == 0


def test_to_tensor_keeps_0_to_255_in_channel_order(rng):
    array = Compose([ToTensor()])(IMAGE, rng)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, PIXELS.transpose(2, 0, 1))


def test_to_tensor_gives_bytes_on_demand(rng):
    array = ToTensor(dtype=np.uint8)(IMAGE, rng)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, PIXELS.transpose(2, 0, 1))
    array[...] = 0
    np.testing.assert_array_equal(IMAGE, PIXELS)
