import math

import numpy as np
import pytest
import torch

from fastreid.modeling.losses import (
    cosine_distances,
    euclidean_distances,
    hardest_pairs,
    margin_loss,
    soft_margin_loss,
    triplet_loss,
    weighted_pairs,
)

from .running import assert_gradient, run, value_and_gradient

# Identity 5 has no positive but itself.
TARGETS = np.array([3, 3, 8, 8, 8, 5], np.int32)
FAR = 1e9


@pytest.fixture
def embedding():
    return np.random.RandomState(0).randn(6, 5).astype(np.float32)


def distances_of(rows, norm_feat):
    """Pair by pair, in float64."""
    rows = rows.astype(np.float64)
    n = len(rows)
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if norm_feat:
                cosine = rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
                result[i, j] = 2 - 2 * cosine
            else:
                result[i, j] = max(np.linalg.norm(rows[i] - rows[j]), 1e-6)
    return result


def mean_by_softmax(values, sign):
    if len(values) == 0:
        return 0.0
    weights = np.exp(sign * (values - values.max()))
    return float((weights * values).sum() / weights.sum())


def definition(rows, targets, margin, norm_feat, hard_mining):
    distances = distances_of(rows, norm_feat)
    losses = []
    for i, target in enumerate(targets):
        positive, negative = distances[i][targets == target], distances[i][targets != target]
        if hard_mining:
            p, n = positive.max(), negative.min() if len(negative) else FAR
        else:
            p, n = mean_by_softmax(positive, 1), mean_by_softmax(negative, -1)
        losses.append(max(p - n + margin, 0) if margin > 0 else math.log1p(math.exp(p - n)))
    return float(np.mean(losses))


def torch_triplet(x, targets, margin, norm_feat, hard_mining):
    if norm_feat:
        x = torch.nn.functional.normalize(x)
        distances = 2 - 2 * x @ x.T
    else:
        distances = (x[:, None] - x[None]).pow(2).sum(-1).clamp(min=1e-12).sqrt()
    same = targets[:, None] == targets[None]
    if hard_mining:
        p = distances.masked_fill(~same, -1).max(1).values
        n = distances.masked_fill(same, FAR).min(1).values
    else:
        p = (distances.masked_fill(~same, -FAR).softmax(1) * distances).sum(1)
        n = ((-distances).masked_fill(same, -FAR).softmax(1) * distances).sum(1)
    gap = p - n
    return (torch.relu(gap + margin) if margin > 0 else torch.nn.functional.softplus(gap)).mean()


@pytest.mark.parametrize("norm_feat", [False, True], ids=["euclidean", "cosine"])
@pytest.mark.parametrize("hard_mining", [False, True], ids=["weighted", "hard"])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_triplet_loss_follows_its_definition_and_the_gradient_is_that_of_torch(
    mode, embedding, margin, norm_feat, hard_mining
):
    options = (margin, norm_feat, hard_mining)
    value, gradient = value_and_gradient(triplet_loss, embedding, TARGETS, constants=options)
    assert value == pytest.approx(definition(embedding, TARGETS, *options), rel=2e-5)
    x = torch.tensor(embedding.astype(np.float64), requires_grad=True)
    torch_triplet(x, torch.tensor(TARGETS), *options).backward()
    assert_gradient(gradient, x.grad.numpy())


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


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_a_batch_of_one_identity_costs_nothing_and_pulls_nothing(mode, embedding, margin):
    same = np.zeros(6, np.int32)
    options = (margin, False, True)
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


def test_equal_distances_are_no_trouble(mode):
    rows = np.eye(4, dtype=np.float32)
    targets = np.array([0, 0, 1, 1], np.int32)
    value, gradient = value_and_gradient(triplet_loss, rows, targets, constants=(0.0, False, True))
    assert value == pytest.approx(math.log(2), rel=1e-5)
    assert np.isfinite(gradient).all()


def test_margin_loss_by_hand(mode):
    positive, negative = np.float32([1, 2, 3]), np.float32([2, 2, 1])
    assert run(margin_loss, positive, negative, constants=(0.5,)) == pytest.approx((0.5 + 2.5) / 3)


def test_the_soft_margin_holds_up_to_the_overflow_of_float32(mode):
    positive, negative = np.float32([88.5, 1.0]), np.float32([0.0, 0.5])
    value, gradient = value_and_gradient(soft_margin_loss, positive, negative)
    assert value == pytest.approx((88.5 + math.log1p(math.exp(0.5))) / 2, rel=1e-5)
    assert_gradient(gradient, [0.5, 0.5 / (1 + math.exp(-0.5))])


def test_beyond_the_overflow_the_soft_margin_becomes_a_margin_of_a_third(mode):
    positive, negative = np.float32([200.0, 1.0, 1.0]), np.float32([0.0, 0.5, 5.0])
    value, gradient = value_and_gradient(soft_margin_loss, positive, negative)
    assert value == pytest.approx((200.3 + 0.8 + 0) / 3, rel=1e-6)
    assert_gradient(gradient, [1 / 3, 1 / 3, 0])
