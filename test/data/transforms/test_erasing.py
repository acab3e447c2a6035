import numpy as np
import pytest

from fastreid.data.transforms import RandomErasing, RandomPatch

VALUE = (1.5, 2.5, 3.5)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def erased_box(image):
    rows, columns = np.nonzero((image == np.reshape(VALUE, (3, 1, 1))).all(axis=0))
    if not rows.size:
        return None
    top, left = rows.min(), columns.min()
    height, width = rows.max() - top + 1, columns.max() - left + 1
    assert rows.size == height * width, "the area is one rectangle"
    return top, left, height, width


def test_erasing_fills_one_rectangle_of_bounded_area_and_shape(rng):
    image = np.full((3, 64, 32), 200, np.float32)
    erase = RandomErasing(prob=0.5, value=VALUE)
    boxes = [erased_box(erase(image, rng)) for _ in range(2000)]
    hits = [box for box in boxes if box is not None]
    assert abs(len(hits) / 2000 - 0.5) < 0.04
    shares = np.array([height * width / (64 * 32) for _, _, height, width in hits])
    ratios = np.array([height / width for _, _, height, width in hits])
    # Sides are rounded to whole pixels, hence the slack.
    assert 0.014 < shares.min() < 0.03
    assert 0.3 < shares.max() < 0.35
    assert ratios.min() > 0.22
    assert ratios.max() < 4.0
    assert image.min() == 200, "the argument is left alone"


def test_erasing_with_probability_zero_or_without_room_changes_nothing(rng):
    image = np.full((3, 64, 32), 200, np.float32)
    assert RandomErasing(prob=0.0, value=VALUE)(image, rng) is image
    assert RandomErasing(prob=1.0, value=VALUE, scale=(2.0, 3.0))(image, rng) is image


def numbered_batch(count=6):
    return np.broadcast_to(
        np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1), (count, 3, 20, 10)
    ).copy()


def test_patches_come_from_images_of_the_batch(rng):
    images = numbered_batch()
    before = images.copy()
    pasted = 0
    for _ in range(200):
        patched = RandomPatch(prob=1.0)(images, rng)
        assert set(np.unique(patched)) <= set(range(6))
        for number, image in enumerate(patched):
            strange = image[0] != number
            if strange.any():
                pasted += 1
                assert np.unique(image[0][strange]).size == 1, "one patch of one image"
                rows, columns = np.nonzero(strange)
                assert strange.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    np.testing.assert_array_equal(images, before)
    # One of six times an image gets a patch of its own, which does not show.
    assert 0.7 < pasted / 1200 < 0.9


def test_patches_have_their_probability(rng):
    changed = [
        (RandomPatch(prob=0.3)(numbered_batch(), rng) != numbered_batch()).any(axis=(1, 2, 3))
        for _ in range(300)
    ]
    assert abs(np.mean(changed) - 0.3 * 5 / 6) < 0.05


def test_patches_are_mirrored_half_of_the_time(rng):
    ramp = np.broadcast_to(np.arange(10, dtype=np.float32), (2, 3, 20, 10)).copy()
    signs = []
    for _ in range(200):
        patched = RandomPatch(prob=1.0, area=(0.2, 0.4))(ramp, rng)[0, 0]
        steps = np.diff(patched, axis=1)
        signs.append((steps == -1).any())
    assert 0.35 < np.mean(signs) < 0.65
