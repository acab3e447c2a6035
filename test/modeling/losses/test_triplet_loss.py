import numpy as np
import pytest

from fastreid.modeling.losses import (
    cosine_distances,
    euclidean_distances,
    hardest_pairs,
    margin_loss,
    triplet_loss,
    weighted_pairs,
)
from test.alignment.definitions import distances_of
from test.alignment.running import run, value_and_gradient

# Identity 5 has no positive but itself.
TARGETS = np.array([3, 3, 8, 8, 8, 5], np.int32)
FAR = 1e9


@pytest.fixture
def embedding():
    return np.random.RandomState(0).randn(6, 5).astype(np.float32)


def test_distances_are_those_of_every_pair(mode, embedding):
    got = run(euclidean_distances, embedding)
    np.testing.assert_allclose(got, distances_of(embedding, False), rtol=1e-5, atol=2e-3)
    assert got.min() >= 1e-6 * (1 - 1e-6)
    cosine = run(cosine_distances, embedding)
    np.testing.assert_allclose(cosine, distances_of(embedding, True), atol=1e-6)


def test_distances_far_from_the_origin_keep_their_digits(mode, embedding):
    got = run(euclidean_distances, embedding + np.float32(1024))
    want = distances_of(embedding + np.float32(1024), False)
    off_diagonal = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(got[off_diagonal], want[off_diagonal], rtol=1e-4)


def test_hardest_pairs_by_hand(mode):
    distances = np.array([[0, 3, 1], [3, 0, 2], [1, 2, 0]], np.float32)
    is_positive = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    positive, negative = run(hardest_pairs, distances, is_positive, ~is_positive)
    np.testing.assert_array_equal(positive, [3, 3, 0])
    np.testing.assert_array_equal(negative, [1, 2, 1])


def test_a_row_without_a_positive_or_a_negative_gets_0_and_1e9(mode):
    nothing, distances = np.zeros((2, 2), bool), np.ones((2, 2), np.float32)
    positive, negative = run(hardest_pairs, distances, nothing, nothing)
    np.testing.assert_array_equal(positive, [0, 0])
    np.testing.assert_array_equal(negative, np.float32([FAR, FAR]))


def test_weighted_pairs_of_equal_distances_are_that_distance(mode):
    distances = np.full((4, 4), 2.5, np.float32)
    is_positive = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    for got in run(weighted_pairs, distances, is_positive, ~is_positive):
        # MindSpore's exponential on CPU is good to 2e-5.
        np.testing.assert_allclose(got, 2.5, rtol=2e-5)


def test_weighted_pairs_take_large_distances(mode):
    distances = np.float32([[0, 500, 900], [500, 0, 800], [900, 800, 0]])
    is_positive = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    positive, negative = run(weighted_pairs, distances, is_positive, ~is_positive)
    np.testing.assert_allclose(positive, [500, 500, 0], rtol=1e-5)
    assert np.isfinite(negative).all()


@pytest.mark.parametrize("hard_mining", [False, True])
@pytest.mark.parametrize("norm_feat", [False, True])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_a_batch_of_one_identity_costs_nothing_and_pulls_nothing(
    mode, embedding, margin, norm_feat, hard_mining
):
    same = np.zeros(6, np.int32)
    options = (margin, norm_feat, hard_mining)
    value, gradient = value_and_gradient(triplet_loss, embedding, same, constants=options)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("hard_mining", [False, True])
def test_equal_features_cost_the_margin_and_have_a_finite_gradient(mode, hard_mining):
    rows = np.ones((4, 3), np.float32)
    targets = np.array([0, 0, 1, 1], np.int32)
    options = (0.3, False, hard_mining)
    value, gradient = value_and_gradient(triplet_loss, rows, targets, constants=options)
    assert value == pytest.approx(0.3, abs=1e-5)
    assert np.isfinite(gradient).all()


def test_margin_loss_by_hand(mode):
    positive, negative = np.float32([1, 2, 3]), np.float32([2, 2, 1])
    assert run(margin_loss, positive, negative, constants=(0.5,)) == pytest.approx((0.5 + 2.5) / 3)
