import math

import numpy as np
import pytest
import torch

from fastreid.modeling.losses import cross_entropy_loss, domain_cross_entropy_loss

from .running import assert_gradient, run, value_and_gradient

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


def row_loss(row, target, eps, alpha):
    """One row, class by class, in Python floats."""
    row = [float(value) for value in row]
    top = max(row)
    normalizer = top + math.log(sum(math.exp(value - top) for value in row))
    share = eps if eps >= 0 else alpha * math.exp(row[target] - normalizer)
    loss = 0.0
    for k, value in enumerate(row):
        weight = 1 - share if k == target else share / (len(row) - 1)
        loss -= weight * (value - normalizer)
    return loss


def definition(rows, targets, eps, alpha):
    losses = [row_loss(row, target, eps, alpha) for row, target in zip(rows, targets)]
    return sum(losses) / max(sum(loss != 0 for loss in losses), 1)


def domain_definition(logits_per_domain, targets, eps, alpha):
    means = []
    for logits, first, count in zip(logits_per_domain, FIRST_LABELS, CLASSES):
        mine = [i for i, target in enumerate(targets) if first <= target < first + count]
        if mine:
            means.append(definition(logits[mine], targets[mine] - first, eps, alpha))
    return sum(means) / len(means)


def torch_cross_entropy(logits, targets, eps, alpha):
    log_probs = torch.log_softmax(logits, 1)
    one_hot = torch.nn.functional.one_hot(targets.long(), logits.shape[1])
    if eps >= 0:
        share = torch.full((len(logits), 1), eps, dtype=logits.dtype)
    else:
        share = alpha * (log_probs.exp() * one_hot).sum(1, keepdim=True).detach()
    soft = one_hot * (1 - share) + (1 - one_hot) * share / (logits.shape[1] - 1)
    losses = -(soft * log_probs).sum(1)
    return losses.sum() / (losses != 0).sum().clamp(min=1)


@pytest.mark.parametrize("eps", [0.0, 0.1, -1.0], ids=["plain", "smooth", "adaptive"])
def test_cross_entropy_follows_its_definition_and_the_gradient_is_that_of_torch(mode, logits, eps):
    value, gradient = value_and_gradient(cross_entropy_loss, logits, TARGETS, constants=(eps, 0.2))
    assert value == pytest.approx(definition(logits, TARGETS, eps, 0.2), rel=1e-5)
    x = torch.tensor(logits.astype(np.float64), requires_grad=True)
    torch_cross_entropy(x, torch.tensor(TARGETS), eps, 0.2).backward()
    assert_gradient(gradient, x.grad.numpy())


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
    assert value == pytest.approx(definition(logits, targets, eps, 0.2), rel=1e-5)
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
    assert value == pytest.approx(domain_definition(parts, targets, eps, 0.2), rel=1e-5)
    # Rows of other domains move nothing of this classifier.
    np.testing.assert_array_equal(gradient[targets >= CLASSES[0]], 0)
    own = targets < CLASSES[0]
    assert (np.abs(gradient[own]).sum(1) > 0).all()


def test_the_gradient_of_a_domains_classifier_is_that_of_torch(mode, domain_logits):
    tensors = [torch.tensor(part.astype(np.float64), requires_grad=True) for part in domain_logits]
    total = 0
    for part, first, count in zip(tensors, FIRST_LABELS, CLASSES):
        mine = (first <= GLOBAL_TARGETS) & (first + count > GLOBAL_TARGETS)
        labels = torch.tensor(GLOBAL_TARGETS[mine] - first)
        total = total + torch_cross_entropy(part[torch.tensor(mine)], labels, 0.1, 0.2)
    (total / 3).backward()

    def loss_of(second, first, third, labels):
        return domain_cross_entropy_loss((first, second, third), labels, FIRST_LABELS, 0.1, 0.2)

    first, second, third = domain_logits
    _, gradient = value_and_gradient(loss_of, second, first, third, GLOBAL_TARGETS)
    assert_gradient(gradient, tensors[1].grad.numpy())
