import math

import numpy as np
import pytest
from mindspore import Tensor, value_and_grad

from fastreid.modeling.losses import focal_loss
from test.alignment.definitions import focal

TARGETS = np.array([0, 2, 1, 2], np.int32)


@pytest.fixture
def logits():
    return np.random.RandomState(0).randn(4, 3).astype(np.float32)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_loss_follows_its_definition_in_every_reduction(mode, logits, gamma):
    want = focal(logits, TARGETS, 0.25, gamma)
    args = (Tensor(logits), Tensor(TARGETS), 0.25, gamma)
    np.testing.assert_allclose(focal_loss(*args, "none").asnumpy(), want, rtol=1e-5)
    np.testing.assert_allclose(focal_loss(*args).asnumpy(), want.mean(), rtol=1e-5)
    np.testing.assert_allclose(focal_loss(*args, "sum").asnumpy(), want.sum(), rtol=1e-5)


def gradient(logits, targets, gamma):
    def loss_of(x):
        return focal_loss(x, Tensor(targets), 0.25, gamma)

    value, grad = value_and_grad(loss_of)(Tensor(logits))
    return value.asnumpy(), grad.asnumpy()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certain_and_hopeless_samples_stay_finite(mode, gamma):
    logits = np.array([[200.0, 0, 0], [-200.0, 0, 0]], np.float32)
    value, grad = gradient(logits, np.array([0, 0], np.int32), gamma)
    assert value == pytest.approx(0.25 * (200 + math.log(2)) / 2, rel=1e-4)
    assert np.isfinite(grad).all()


def test_maps_of_classes_are_taken_too(mode):
    logits = np.random.RandomState(1).randn(2, 3, 4, 5).astype(np.float32)
    targets = np.random.RandomState(2).randint(0, 3, (2, 4, 5)).astype(np.int32)
    flat = focal(logits.transpose(0, 2, 3, 1).reshape(-1, 3), targets.reshape(-1), 1.0, 2.0)
    got = focal_loss(Tensor(logits), Tensor(targets), 1.0, 2.0, "none").asnumpy()
    np.testing.assert_allclose(got, flat.reshape(2, 4, 5), rtol=2e-5)


def test_shapes_that_do_not_fit_are_named(logits):
    with pytest.raises(ValueError, match=r"the shapes are \(4, 3\) and \(3,\)"):
        focal_loss(Tensor(logits), Tensor(TARGETS[:3]), 0.25)


def test_an_unknown_reduction_names_the_choices(logits):
    with pytest.raises(ValueError, match="reduction 'max' is unknown; it must be none, mean or"):
        focal_loss(Tensor(logits), Tensor(TARGETS), 0.25, 2.0, "max")
