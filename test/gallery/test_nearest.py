"""The nearest rows of a matrix, against sorting everything."""

import numpy as np
import pytest

from fastreid.gallery import nearest
from fastreid.gallery.nearest import nearest_rows


def by_sorting(vectors, queries, top):
    order = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")
    return order[:, :top]


@pytest.mark.parametrize("block", [3, 7, 1000])
@pytest.mark.parametrize("top", [1, 5, 40])
def test_the_rows_are_those_of_sorting_everything(monkeypatch, block, top):
    monkeypatch.setattr(nearest, "_BLOCK", block)
    rng = np.random.default_rng(top)
    # Whole numbers, so that many products are equal.
    vectors = rng.integers(-2, 3, (30, 4)).astype(np.float32)
    queries = rng.integers(-2, 3, (6, 4)).astype(np.float32)
    rows, scores = nearest_rows(vectors, queries, top)
    np.testing.assert_array_equal(rows, by_sorting(vectors, queries, top))
    np.testing.assert_array_equal(scores, np.take_along_axis(queries @ vectors.T, rows, axis=1))


def test_only_allowed_rows_are_found():
    vectors = np.eye(5, dtype=np.float32)
    allowed = np.array([1, 3])
    rows, scores = nearest_rows(vectors, vectors[[3, 0]], 4, allowed=allowed)
    assert rows.tolist() == [[3, 1], [1, 3]]
    assert scores.tolist() == [[1, 0], [0, 0]]


def test_nothing_is_found_in_nothing():
    rows, scores = nearest_rows(np.zeros((0, 3), np.float32), np.ones((2, 3), np.float32), 5)
    assert rows.shape == scores.shape == (2, 0)
