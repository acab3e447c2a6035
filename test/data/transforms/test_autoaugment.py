from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fastreid.data.transforms import AugMix, AutoAugment
from fastreid.data.transforms.autoaugment import IMAGENET_POLICY, OPERATIONS

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
IMAGE = Image.fromarray(PIXELS)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def run(name, level, rng):
    return np.asarray(OPERATIONS[name](IMAGE, level / 10, rng))


def test_the_policy_has_25_pairs_of_known_operations():
    assert len(IMAGENET_POLICY) == 25
    steps = [step for pair in IMAGENET_POLICY for step in pair]
    assert all(len(pair) == 2 for pair in IMAGENET_POLICY)
    assert {step.name for step in steps} == set(OPERATIONS)
    assert all(0 <= step.prob <= 1 and 0 <= step.level <= 10 for step in steps)
    assert len(set(IMAGENET_POLICY)) == 20
    assert Counter(step.name for step in steps)["Equalize"] == 17


@pytest.mark.parametrize(("level", "bits"), [(5, 6), (6, 6), (7, 6), (8, 7)])
def test_posterize_keeps_4_to_8_bits(rng, level, bits):
    np.testing.assert_array_equal(run("Posterize", level, rng), PIXELS >> 8 - bits << 8 - bits)


def test_solarize_inverts_from_its_threshold_on(rng):
    expected = np.where(PIXELS < 128, PIXELS, 255 - PIXELS)
    np.testing.assert_array_equal(run("Solarize", 5, rng), expected)


def test_invert_is_255_minus_the_value(rng):
    np.testing.assert_array_equal(run("Invert", 4, rng), 255 - PIXELS)


def test_color_at_level_5_is_nearly_the_image_and_at_0_nearly_gray(rng):
    assert abs(run("Color", 5, rng).astype(int) - PIXELS).max() <= 1
    spread = run("Color", 0, rng).astype(int)
    assert (spread.max(axis=-1) - spread.min(axis=-1)).max() < 0.1 * 255 + 2


def test_contrast_and_sharpness_at_level_5_are_the_image(rng):
    for name in ("Contrast", "Sharpness"):
        assert abs(run(name, 5, rng).astype(int) - PIXELS).max() <= 1


def test_auto_contrast_and_equalize_use_the_whole_range(rng):
    dull = Image.fromarray(PIXELS // 4 + 90)
    for name in ("AutoContrast", "Equalize"):
        result = np.asarray(OPERATIONS[name](dull, 0.5, rng))
        assert result.min() == 0
        assert result.max() >= 254


@pytest.mark.parametrize(("name", "level"), [("Rotate", 9), ("ShearX", 5)])
def test_warps_fill_with_gray_in_both_directions_with_both_filters(rng, name, level):
    image = IMAGE.resize((40, 40))
    results = {OPERATIONS[name](image, level / 10, rng).tobytes() for _ in range(60)}
    assert len(results) == 4
    corners = np.asarray(OPERATIONS[name](image, level / 10, rng))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 128).all(axis=-1).any()


def test_autoaugment_keeps_size_and_depends_on_the_generator_only():
    results = []
    for seed in range(40):
        one, again = (AutoAugment()(IMAGE, np.random.default_rng(seed)) for _ in range(2))
        assert one.size == IMAGE.size
        assert one.mode == "RGB"
        assert one.tobytes() == again.tobytes()
        results.append(one.tobytes())
    assert len(set(results)) > 15


def test_augmix_applies_with_its_probability_and_stays_near_the_image(rng):
    mixed = [np.asarray(AugMix(prob=0.4)(IMAGE, rng)) for _ in range(300)]
    assert all(image.shape == PIXELS.shape and image.dtype == np.uint8 for image in mixed)
    # A drawn mixture can still equal the image: its share is near 0 half of the time.
    changed = np.mean([not np.array_equal(image, PIXELS) for image in mixed])
    assert 0.15 < changed <= 0.45
    assert AugMix(prob=0.0)(IMAGE, rng) is IMAGE


def test_augmix_of_operations_that_change_nothing_is_the_image(rng, monkeypatch):
    monkeypatch.setattr("fastreid.data.transforms.augmix.OPERATIONS", (lambda i, s, r: i,))
    for _ in range(20):
        mixed = np.asarray(AugMix(prob=1.0)(IMAGE, rng)).astype(int)
        assert abs(mixed - PIXELS).max() <= 1
