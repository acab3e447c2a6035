import math

import numpy as np
import pytest
from mindspore import Tensor, value_and_grad

from fastreid.modeling.losses import pairwise_circleloss, pairwise_cosface

TARGETS = np.array([0, 0, 1, 1, 1, 2], np.int32)
LOSSES = {"circle": pairwise_circleloss, "cosface": pairwise_cosface}


@pytest.fixture
def embedding():
    return np.random.RandomState(0).randn(6, 10).astype(np.float32)


def value_and_gradient(kind, embedding, targets, margin, gamma):
    def loss_of(x):
        return LOSSES[kind](x, Tensor(targets), margin, gamma)

    value, gradient = value_and_grad(loss_of)(Tensor(embedding))
    return float(value.asnumpy()), gradient.asnumpy()


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
