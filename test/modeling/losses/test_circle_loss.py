import math

import numpy as np
import pytest
import torch
from mindspore import Tensor, value_and_grad

from fastreid.modeling.losses import pairwise_circleloss, pairwise_cosface

TARGETS = np.array([0, 0, 1, 1, 1, 2], np.int32)
LOSSES = {"circle": pairwise_circleloss, "cosface": pairwise_cosface}


def logits(kind, similarity, margin, gamma, positive):
    """Logit of one pair, from the papers' formulas."""
    if kind == "cosface":
        return -gamma * similarity if positive else gamma * (similarity + margin)
    if positive:
        return -gamma * max(1 + margin - similarity, 0) * (similarity - (1 - margin))
    return gamma * max(similarity + margin, 0) * (similarity - margin)


def definition(kind, embedding, targets, margin, gamma):
    """Pair by pair, in Python floats."""
    rows = embedding.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    losses = []
    for i in range(len(rows)):
        sums = {True: 0.0, False: 0.0}
        for j in range(len(rows)):
            if i != j:
                positive = bool(targets[i] == targets[j])
                sums[positive] += math.exp(logits(kind, rows[i] @ rows[j], margin, gamma, positive))
        losses.append(math.log1p(sums[True] * sums[False]))
    return float(np.mean(losses))


@pytest.fixture
def embedding():
    return np.random.RandomState(0).randn(6, 10).astype(np.float32)


def value_and_gradient(kind, embedding, targets, margin, gamma):
    def loss_of(x):
        return LOSSES[kind](x, Tensor(targets), margin, gamma)

    value, gradient = value_and_grad(loss_of)(Tensor(embedding))
    return float(value.asnumpy()), gradient.asnumpy()


def torch_loss(kind, x, targets, margin, gamma):
    rows = torch.nn.functional.normalize(x)
    s = rows @ rows.T
    same = targets[:, None] == targets[None, :]
    positive = same & ~torch.eye(len(x), dtype=torch.bool)
    if kind == "circle":
        p = -gamma * torch.relu(1 + margin - s.detach()) * (s - (1 - margin))
        n = gamma * torch.relu(s.detach() + margin) * (s - margin)
    else:
        p, n = -gamma * s, gamma * (s + margin)
    p = torch.where(positive, p, torch.full_like(p, -1e8)).logsumexp(1)
    n = torch.where(~same, n, torch.full_like(n, -1e8)).logsumexp(1)
    return torch.nn.functional.softplus(p + n).mean()


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 1.0), (0.35, 64.0)])
def test_loss_follows_its_definition_and_the_gradient_is_that_of_torch(
    mode, embedding, kind, margin, gamma
):
    x = torch.tensor(embedding.astype(np.float64), requires_grad=True)
    torch_loss(kind, x, torch.tensor(TARGETS), margin, gamma).backward()
    value, gradient = value_and_gradient(kind, embedding, TARGETS, margin, gamma)
    assert value == pytest.approx(definition(kind, embedding, TARGETS, margin, gamma), rel=2e-5)
    want = x.grad.numpy()
    np.testing.assert_allclose(gradient, want, atol=3e-5 * np.abs(want).max())


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("targets", [[0, 1, 2, 3, 4, 5], [7, 7, 7, 7, 7, 7]])
def test_rows_without_a_positive_or_a_negative_count_as_zero(mode, embedding, kind, targets):
    targets = np.array(targets, np.int32)
    value, gradient = value_and_gradient(kind, embedding, targets, 0.25, 64.0)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("kind", LOSSES)
def test_huge_logits_stay_finite(mode, embedding, kind):
    value, gradient = value_and_gradient(kind, embedding, TARGETS, 0.25, 1e4)
    assert np.isfinite(value)
    assert value > 100
    assert np.isfinite(gradient).all()


def test_two_equal_images_and_an_opposite_one_by_hand():
    embedding = np.array([[1, 0], [2, 0], [-1, 0]], np.float32)
    value = pairwise_cosface(Tensor(embedding), Tensor(np.array([0, 0, 1], np.int32)), 0.5, 2.0)
    # Rows 0 and 1: exp(-2) * exp(2 * (-1 + 0.5)); row 2 has no positive.
    assert float(value.asnumpy()) == pytest.approx(2 * math.log1p(math.exp(-3)) / 3, rel=1e-5)
