import numpy as np
import pytest
from mindspore import Tensor

from fastreid.modeling.losses import (
    center_loss,
    inter_domain_loss,
    intra_domain_loss,
    scatter_loss,
)
from test.alignment.running import assert_gradient, run, value_and_gradient

BATCHES = {
    "all three": [0, 0, 1, 1, 1, 2],
    "one absent": [0, 0, 2, 2, 2, 2],
    "one present": [1, 1, 1, 1, 1, 1],
}


@pytest.fixture
def paths():
    """Rows of a softmax over four adaptors, four stages side by side, some domains far apart."""
    rng = np.random.RandomState(0)
    logits = 3 * rng.randn(6, 4, 4)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return weights.reshape(6, 16).astype(np.float32)


@pytest.mark.parametrize("loss", [intra_domain_loss, inter_domain_loss, scatter_loss])
def test_domains_that_are_never_in_a_batch_change_nothing(paths, loss):
    domainids = Tensor(np.array(BATCHES["all three"], np.int32))
    three, seven = (loss(Tensor(paths), domainids, count).asnumpy() for count in (3, 7))
    np.testing.assert_allclose(seven, three, rtol=1e-6)


def test_a_single_domain_has_no_inter_loss_and_no_gradient(mode, paths):
    value, gradient = value_and_gradient(
        inter_domain_loss, paths, np.full(6, 2, np.int32), constants=(3,)
    )
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_paths_within_the_margin_cost_nothing(mode):
    # All entries equal: each path lies on the scalar centre.
    paths = np.full((4, 16), 0.25, np.float32)
    domainids = np.array([0, 0, 1, 1], np.int32)
    value, gradient = value_and_gradient(intra_domain_loss, paths, domainids, constants=(2,))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
    inter = run(inter_domain_loss, paths, domainids, constants=(2,))
    assert inter == pytest.approx(0.3**2, rel=1e-5)


def test_centres_beyond_the_margin_cost_nothing(mode):
    # Scalar centres of two-entry unit rows: 0.5 and 0.7071 are 0.2071 apart, -0.5 is far away.
    paths = np.float32([[1, 0], [1, 1], [-1, 0]])
    value = run(inter_domain_loss, paths, np.array([0, 1, 2], np.int32), constants=(3,))
    assert value == pytest.approx((0.3 - (np.sqrt(0.5) - 0.5)) ** 2 / 3, rel=1e-4)


def test_scatter_of_equal_features_is_one(mode):
    features = np.float32([[1, 2], [2, 4], [-3, 0], [-1, 0]])
    value = run(scatter_loss, features, np.array([0, 0, 1, 1], np.int32), constants=(2,))
    assert value == pytest.approx(1, rel=1e-6)


def test_center_loss_clamps_and_counts_the_other_classes(mode):
    # 9 and, clamped, 1e12; of each row's three classes two others of 1e-12.
    got = run(center_loss, np.float32([9, 5e12]), constants=(3,))
    assert got == pytest.approx((9 + 1e12 + 4e-12) / 2, rel=1e-6)
    nothing = run(center_loss, np.zeros(2, np.float32), constants=(3,))
    assert nothing == pytest.approx(3e-12, rel=1e-6)


def test_center_loss_pulls_at_each_row_alike_within_its_limits(mode):
    value, gradient = value_and_gradient(center_loss, np.float32([2, 3, 5e12, 0]), constants=(7,))
    assert value == pytest.approx(1e12 / 4, rel=1e-6)
    assert_gradient(gradient, np.array([1 / 4, 1 / 4, 0, 0]))
