"""Maps on other grids, and their colours over pictures."""

import numpy as np
import pytest

from fastreid.explain import draw_map, to_picture
from fastreid.explain.places import join_maps, spread


@pytest.mark.parametrize("size", [(2, 2), (8, 4), (3, 5), (16, 8)])
def test_spreading_a_map_keeps_its_sum_and_its_place(size):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 8, 4))
    found = spread(maps, size)
    assert found.shape == (2, *size)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), maps.sum(axis=(1, 2)))
    one = np.zeros((1, 8, 4))
    one[0, 7, 3] = 5
    rows, columns = np.nonzero(spread(one, size)[0])
    assert rows.min() >= int(7 / 8 * size[0])
    assert columns.min() >= int(3 / 4 * size[1])


def test_a_cell_is_divided_by_the_areas_that_it_covers():
    (found,) = spread(np.array([[[6.0], [0.0]]]), (3, 1))
    np.testing.assert_allclose(found, [[4], [2], [0]])


def test_maps_of_several_sizes_are_added_on_the_finest_grid():
    fine, coarse = np.ones((1, 4, 2)), np.array([[[8.0], [0.0]]])
    np.testing.assert_allclose(join_maps([fine, coarse])[0], [[3, 3], [3, 3], [1, 1], [1, 1]])


def test_positive_places_are_red_and_negative_ones_blue():
    picture = np.full((8, 8, 3), 100, np.uint8)
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3] = 1, -1
    drawn = draw_map(picture, values).astype(int)
    assert drawn.shape == picture.shape
    assert drawn[0, 0, 0] > drawn[0, 0, 2] + 100
    assert drawn[7, 7, 2] > drawn[7, 7, 0] + 100
    np.testing.assert_array_equal(drawn[0, 7], 100)
    np.testing.assert_array_equal(draw_map(picture, np.zeros((4, 4))), picture)
    faint = draw_map(picture, values, largest=10.0).astype(int)
    assert 0 < faint[0, 0, 0] - 100 < drawn[0, 0, 0] - 100


def test_a_batch_becomes_the_picture_that_it_was_made_of():
    picture = np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    batch = picture.transpose(2, 0, 1)[None].astype(np.float32) + 0.2
    np.testing.assert_array_equal(to_picture(batch), picture)
