"""The comparison of an exported file with its model can fail."""

import numpy as np
import pytest

from fastreid.export.check import compare_features


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((16, 32)).astype(np.float32)


def test_a_rounding_of_features_changes_no_ranks(features):
    found = features * (1 + 1e-6 * np.random.default_rng(1).standard_normal(features.shape))
    comparison = compare_features(found.astype(np.float32), features)
    assert comparison.has_equal_ranks
    assert 0 < comparison.error < 1e-5


def test_features_of_exchanged_images_have_other_ranks(features):
    comparison = compare_features(features[[1, 0, *range(2, 16)]], features)
    assert not comparison.has_equal_ranks


def test_a_small_error_that_changes_ranks_is_found(features):
    """One image has small features, so an error far below the largest feature turns them."""
    features[3] *= 1e-4
    found = features.copy()
    found[3] = np.roll(found[3], 5)
    comparison = compare_features(found, features)
    assert comparison.error < 1e-4
    assert not comparison.has_equal_ranks


def test_two_neighbours_in_another_order_are_found():
    """The ten nearest images are the same, but two of them have changed places."""
    angles = np.deg2rad([0, *range(10, 160, 10)])
    expected = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = expected.copy()
    found[[1, 2]] = found[[2, 1]]
    assert compare_features(expected, expected).has_equal_ranks
    assert not compare_features(found, expected).has_equal_ranks


def test_the_order_of_equal_images_is_free(features):
    features[5] = features[4]
    found = features.copy()
    found[5, 0] += 1e-6
    assert compare_features(found, features).has_equal_ranks
    same = np.ones((16, 8), np.float32)
    assert compare_features(same, same).has_equal_ranks
    assert compare_features(same[:1], same[:1]).has_equal_ranks


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_differ(features, value):
    found = features.copy()
    found[2, 3] = value
    comparison = compare_features(found, features)
    assert comparison.error == np.inf
    assert not comparison.has_equal_ranks
