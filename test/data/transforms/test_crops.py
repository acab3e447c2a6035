import numpy as np
import pytest
from PIL import Image

from fastreid.data.transforms import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8)
IMAGE = Image.fromarray(PIXELS)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_resize_is_pils_bicubic_with_height_first(rng):
    expected = np.asarray(IMAGE.resize((5, 9), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(Resize([9, 5])(IMAGE, rng), expected)


@pytest.mark.parametrize(("size", "result"), [((8, 12), (4, 6)), ((12, 8), (6, 4))])
def test_one_number_is_the_shorter_side(rng, size, result):
    assert Resize([4])(Image.new("RGB", size), rng).size == result


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_padding_is_numpys(rng, mode):
    expected = np.pad(PIXELS, ((3, 3), (3, 3), (0, 0)), mode=mode)
    np.testing.assert_array_equal(Pad(3, mode=mode)(IMAGE, rng), expected)


def test_an_unknown_padding_mode_is_refused():
    with pytest.raises(ValueError, match="INPUT.PADDING.MODE is 'mirror'; it must be one of"):
        Pad(3, mode="mirror")


def test_random_crop_takes_every_window_equally_often(rng):
    ramp = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(4, 3))
    corners = [np.asarray(RandomCrop([3, 2])(ramp, rng)) for _ in range(4000)]
    counts = np.bincount([corner[0, 0] for corner in corners], minlength=12)
    assert sorted(np.flatnonzero(counts)) == [0, 1, 3, 4]
    assert abs(counts[[0, 1, 3, 4]] / 4000 - 0.25).max() < 0.03
    for corner in corners[:50]:
        np.testing.assert_array_equal(corner - corner[0, 0], [[0, 1], [3, 4], [6, 7]])


def test_a_crop_that_does_not_fit_is_refused(rng):
    with pytest.raises(ValueError, match="crop of 13x8 does not fit into an image of 12x8"):
        RandomCrop([13, 8])(IMAGE, rng)


def test_pad_and_crop_shift_the_image(rng):
    shifted = RandomCrop([12, 8])(Pad(2)(IMAGE, rng), rng)
    assert shifted.size == IMAGE.size


def test_random_resized_crop_with_the_whole_area_is_a_resize(rng):
    square = IMAGE.crop((0, 0, 8, 8))
    crop = RandomResizedCrop([6, 4], scale=(1.0, 1.0), ratio=(1.0, 1.0))
    np.testing.assert_array_equal(crop(square, rng), Resize([6, 4])(square, rng))


def test_random_resized_crop_keeps_area_and_ratio_within_bounds(rng):
    crop = RandomResizedCrop([6, 4], scale=(0.2, 0.5), ratio=(0.5, 2.0))
    windows = [crop._window(200, 100, rng) for _ in range(500)]
    for left, top, width, height in windows:
        assert 0 <= left <= 200 - width
        assert 0 <= top <= 100 - height
        assert 0.19 < width * height / 20000 < 0.51
        assert 0.48 < width / height < 2.1
    assert crop(IMAGE, rng).size == (4, 6)


def test_random_resized_crop_falls_back_to_the_middle(rng):
    crop = RandomResizedCrop([6, 4], scale=(2.0, 3.0), ratio=(0.5, 1.0))
    assert crop._window(200, 100, rng) == (50, 0, 100, 100)
    assert crop._window(20, 100, rng) == (0, 30, 20, 40)


def test_center_crop_takes_the_middle_and_fills_with_black(rng):
    np.testing.assert_array_equal(CenterCrop([6, 4])(IMAGE, rng), PIXELS[3:9, 2:6])
    wide = np.asarray(CenterCrop([6, 10])(IMAGE, rng))
    np.testing.assert_array_equal(wide[:, 1:9], PIXELS[3:9])
    assert wide[:, [0, 9]].max() == 0
