import math

import numpy as np
import pytest

from fastreid.modeling.losses import cross_entropy_loss, domain_cross_entropy_loss
from test.alignment.definitions import cross_entropy, domain_cross_entropy
from test.alignment.running import run, value_and_gradient

TARGETS = np.array([0, 3, 2, 2], np.int32)
# Global classes 0..2, 3..6 and 7..8 of three domains.
CLASSES, FIRST_LABELS = (3, 4, 2), (0, 3, 7)
GLOBAL_TARGETS = np.array([1, 0, 3, 6, 5, 8], np.int32)


@pytest.fixture
def logits():
    return np.random.RandomState(0).randn(4, 4).astype(np.float32)


@pytest.fixture
def domain_logits():
    rng = np.random.RandomState(1)
    return [rng.randn(6, count).astype(np.float32) for count in CLASSES]


def test_rows_whose_loss_is_zero_are_not_counted(mode):
    logits = np.float32([[1000, 0, 0], [0, 0, 0], [0, 1000, 0]])
    value = run(cross_entropy_loss, logits, np.array([0, 1, 1], np.int32), constants=(0.0, 0.2))
    assert value == pytest.approx(math.log(3), rel=1e-5)


def test_a_batch_without_any_loss_is_zero(mode):
    logits = np.float32([[1000, 0], [0, 1000]])
    options = (0.0, 0.2)
    value, gradient = value_and_gradient(
        cross_entropy_loss, logits, np.array([0, 1], np.int32), constants=options
    )
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("eps", [0.0, 0.1, -1.0])
def test_huge_logits_stay_finite(mode, eps):
    logits = np.float32([[1e4, -1e4, 0], [-1e4, 1e4, 5e3]])
    targets = np.array([1, 1], np.int32)
    value, gradient = value_and_gradient(cross_entropy_loss, logits, targets, constants=(eps, 0.2))
    assert value == pytest.approx(cross_entropy(logits, targets, eps, 0.2), rel=1e-5)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("eps", [0.0, 0.1, -1.0], ids=["plain", "smooth", "adaptive"])
@pytest.mark.parametrize(
    "rows", [[0, 1, 2, 3, 4, 5], [0, 1, 5], [2, 3, 4]], ids=["all", "one absent", "one domain"]
)
def test_every_domain_counts_the_same_under_its_own_classifier(mode, domain_logits, eps, rows):
    targets = GLOBAL_TARGETS[rows]
    parts = [logits[rows] for logits in domain_logits]

    def loss_of(first, second, third, labels):
        return domain_cross_entropy_loss((first, second, third), labels, FIRST_LABELS, eps, 0.2)

    value, gradient = value_and_gradient(loss_of, *parts, targets)
    assert value == pytest.approx(
        domain_cross_entropy(parts, targets, FIRST_LABELS, eps, 0.2), rel=1e-5
    )
    # Rows of other domains move nothing of this classifier.
    np.testing.assert_array_equal(gradient[targets >= CLASSES[0]], 0)
    own = targets < CLASSES[0]
    assert (np.abs(gradient[own]).sum(1) > 0).all()
