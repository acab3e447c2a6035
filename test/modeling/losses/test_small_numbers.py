"""Losses and their gradients against float64, from 1e-8 to 1e2, in the modes that train.

One call computes a whole ladder of sizes, so each family is compiled once.
"""

import numpy as np
import pytest
from mindspore import Tensor, nn, ops, value_and_grad
from scipy.special import expit, log_softmax

from fastreid.layers import cosine_gaps, exp, log1p, softplus
from fastreid.modeling.losses import (
    cosine_distances,
    euclidean_distances,
    focal_loss,
    pairwise_circleloss,
    pairwise_cosface,
    scatter_loss,
    soft_margin_loss,
    triplet_loss,
)
from fastreid.modeling.losses.cross_entropy_loss import smoothed_cross_entropy
from test.alignment.running import run, value_and_gradient

# Losses from 1e-8 to 1e2, and what their softplus is of.
LADDER = np.logspace(-8, 2, 41)
EXPONENTS = np.log(np.expm1(LADDER)).astype(np.float32)
# float32 rounds an exponent x by 6e-8 * abs(x), which is the error of exp(x): 1.1e-6 at -18,
# the end of the ladder. Sums of a few such terms stay within three times that.
RELATIVE = 3e-6


class Each(nn.Cell):
    """The sum of a function's values, each for a row of its own; its gradient is row by row."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def construct(self, x):
        values = self.function(x)
        return values.sum(), values


def values_and_slopes(function, x):
    (_, values), slopes = value_and_grad(Each(function), has_aux=True)(Tensor(x))
    return values.asnumpy(), slopes.asnumpy()


def assert_close(got, want, relative):
    np.testing.assert_allclose(got, want, rtol=relative, atol=0)


def test_softplus_and_its_slope_keep_their_digits(mode):
    # Beyond 87 an exponential has fewer digits, if any.
    x = np.concatenate([EXPONENTS, -EXPONENTS[EXPONENTS < 87], [0.0]]).astype(np.float32)
    values, slopes = values_and_slopes(softplus, x)
    x = x.astype(np.float64)
    assert_close(values, np.logaddexp(0, x), RELATIVE)
    assert_close(slopes, expit(x), RELATIVE)


def test_exponential_and_logarithm_are_rounded_like_float32(mode):
    x = -np.logspace(-8, 1.9, 100).astype(np.float32)
    assert_close(run(exp, x), np.exp(x.astype(np.float64)), 3e-6)
    x = np.logspace(-8, 0, 100).astype(np.float32)
    assert_close(run(log1p, x), np.log1p(x.astype(np.float64)), 3e-7)


def test_the_reported_soft_margin_loss_of_1e_4_is_exact(mode):
    # Such gaps give 1.4e-4, and with log(1 + exp(gap)) an error of 2.9e-8.
    near = np.float32([0.31, 0.52, 0.77, 1.02])
    far = near + np.float32([8.71, 8.9, 8.83, 9.1])
    want = np.logaddexp(0, near.astype(np.float64) - far).mean()
    assert want == pytest.approx(1.4e-4, rel=0.1)
    value, gradient = value_and_gradient(soft_margin_loss, near, far)
    assert_close(value, want, RELATIVE)
    assert_close(gradient, expit(near.astype(np.float64) - far) / 4, RELATIVE)


def soft_margin_rows(gap):
    # A loss is a mean; of one row it is that row.
    losses = ()
    for row in range(gap.shape[0]):
        losses = losses + (soft_margin_loss(gap[row : row + 1], ops.zeros_like(gap[:1])),)
    return ops.stack(losses)


def test_soft_margin_losses_of_every_size_keep_their_digits():
    gaps = EXPONENTS[::4][EXPONENTS[::4] < 88]
    values, slopes = values_and_slopes(soft_margin_rows, gaps)
    assert_close(values, np.logaddexp(0, gaps.astype(np.float64)), RELATIVE)
    assert_close(slopes, expit(gaps.astype(np.float64)), RELATIVE)


def sure_logits():
    """Rows of four logits whose loss climbs the ladder, and their true classes."""
    rng = np.random.RandomState(0)
    logits = rng.uniform(-2, 2, (len(LADDER), 4))
    targets = np.arange(len(LADDER)) % 4
    for row, target, exponent in zip(logits, targets, EXPONENTS):
        others = np.delete(row, target)
        row[target] = np.log(np.exp(others).sum()) - exponent
    return logits.astype(np.float32), targets.astype(np.int32)


@pytest.mark.parametrize("eps", [0.0, 0.1, -1.0], ids=["plain", "smooth", "adaptive"])
def test_cross_entropies_of_sure_and_unsure_predictions_keep_their_digits(mode, eps):
    logits, targets = sure_logits()

    def loss(x):
        return smoothed_cross_entropy(x, Tensor(targets), eps, 0.2)

    values, slopes = values_and_slopes(loss, logits)
    exact = logits.astype(np.float64)
    own = np.eye(4)[targets]
    odds = np.log((np.exp(exact) * (1 - own)).sum(1)) - (exact * own).sum(1)
    probability = expit(-odds)
    share = (np.full(len(odds), eps) if eps >= 0 else 0.2 * probability)[:, None]
    losses = own * np.logaddexp(0, odds)[:, None] - (1 - own) * log_softmax(exact, 1)
    soft = own * (1 - share) + (1 - own) * share / 3
    assert_close(values, (soft * np.abs(losses)).sum(1), RELATIVE)
    # p_j of the others, and of the true class 1 - p from the odds.
    p = np.exp(log_softmax(exact, 1)) * (1 - own)
    want = p - own * expit(odds)[:, None] + own * share - (1 - own) * share / 3
    scale = np.maximum(np.abs(want), np.abs(share))
    assert (np.abs(slopes - want) <= RELATIVE * scale).all()


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_losses_of_sure_and_unsure_samples_keep_their_digits(mode, gamma):
    logits, targets = sure_logits()

    def loss(x):
        return focal_loss(x, Tensor(targets), 0.25, gamma, "none")

    values, slopes = values_and_slopes(loss, logits)
    exact, own = logits.astype(np.float64), np.eye(4)[targets]
    odds = np.log((np.exp(exact) * (1 - own)).sum(1)) - (exact * own).sum(1)
    missing, surprise = expit(odds), np.logaddexp(0, odds)
    assert_close(values, 0.25 * missing**gamma * surprise, (1 + gamma) * RELATIVE)
    slope = 0.25 * (gamma * missing**gamma * expit(-odds) * surprise + missing ** (1 + gamma))
    got = -(slopes * own).sum(1)
    assert_close(got, slope, (2 + gamma) * RELATIVE)


def near_rows(size, rows=8, width=64):
    """Pairs of rows, each pair `size` apart in direction."""
    rng = np.random.RandomState(0)
    x = rng.randn(rows, width)
    x[1::2] = x[::2] * (1 + size * rng.randn(rows // 2, width))
    return x.astype(np.float32)


def exact_gaps(x):
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return ((unit[:, None] - unit) ** 2).sum(2) / 2


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0])
def test_distances_of_near_features_keep_their_digits(mode, size):
    x = near_rows(size)
    off = ~np.eye(len(x), dtype=bool)
    want = np.sqrt(((x[:, None].astype(np.float64) - x) ** 2).sum(2))
    assert_close(run(euclidean_distances, x)[off], want[off], 1e-6)
    np.testing.assert_array_equal(run(euclidean_distances, x)[~off], np.float32(1e-6))
    got, gaps = run(cosine_distances, x), exact_gaps(x)
    # Rounded unit vectors are turned by 3e-8 each, which counts twice in a square.
    bound = 1e-6 + 2e-7 / np.sqrt(2 * gaps[off])
    assert (np.abs(got[off] - 2 * gaps[off]) <= 2 * gaps[off] * bound).all()
    assert (got[~off] == 0).all()


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_gradient_of_a_triplet_loss_on_near_features_keeps_its_digits(mode, margin):
    x, targets = near_rows(1e-4), np.repeat(np.arange(4), 2).astype(np.int32)
    _, gradient = value_and_gradient(triplet_loss, x, targets, constants=(margin, False, True))
    exact = x.astype(np.float64)
    differences = exact[:, None] - exact
    distances = np.sqrt((differences**2).sum(2))
    same = targets[:, None] == targets
    want = np.zeros_like(exact)
    for row in range(len(x)):
        positive = np.where(same[row], distances[row], -1).argmax()
        negative = np.where(same[row], np.inf, distances[row]).argmin()
        gap = distances[row, positive] - distances[row, negative]
        slope = (expit(gap) if margin == 0 else float(gap + margin > 0)) / len(x)
        for other, sign in ((positive, slope), (negative, -slope)):
            pull = sign * differences[row, other] / distances[row, other]
            want[row] += pull
            want[other] -= pull
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-6 * max(np.abs(want).max(), 1e-3))


@pytest.mark.parametrize("kind", ["circle", "cosface"])
@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_circle_and_cosface_losses_near_zero_keep_their_digits(mode, kind, size):
    x, targets = near_rows(size), np.repeat(np.arange(4), 2).astype(np.int32)
    margin, gamma = (-0.2, 16.0) if kind == "circle" else (-0.6, 24.0)
    loss = pairwise_circleloss if kind == "circle" else pairwise_cosface
    value, gradient = value_and_gradient(loss, x, targets, constants=(margin, gamma))
    gaps, same = exact_gaps(x), targets[:, None] == targets
    positive, negative = gamma * gaps, gamma * (margin - gaps)
    if kind == "circle":
        positive = gamma * np.maximum(margin + gaps, 0) * (gaps - margin)
        negative = gamma * np.maximum(1 + margin - gaps, 0) * (1 - margin - gaps)
    off = ~np.eye(len(x), dtype=bool)
    product = np.log((np.exp(positive) * (same & off)).sum(1))
    product += np.log((np.exp(negative) * ~same).sum(1))
    want = np.logaddexp(0, product).mean()
    # A cosine is rounded by 1e-7, and gamma times that is the error of an exponent.
    assert_close(value, want, RELATIVE + 2e-7 * gamma)
    assert np.isfinite(gradient).all()


def test_a_scatter_of_near_features_has_the_right_gradient(mode):
    x, domains = near_rows(1e-4, rows=2), np.zeros(2, np.int32)
    _, gradient = value_and_gradient(scatter_loss, x, domains, constants=(1,))
    exact = x.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = exact / lengths
    # Of two unit vectors the mean cosine to their mean is the cosine of half their angle.
    total = unit.sum(0)
    slope = total / np.linalg.norm(total) / 2
    want = (slope - (unit @ slope)[:, None] * unit) / lengths
    # The unit vectors are 1e-4 apart and rounded by 3e-8.
    np.testing.assert_allclose(gradient, want, rtol=0, atol=2e-3 * np.abs(want).max())


def test_rows_of_zeros_and_short_ones_have_the_similarities_of_their_product(mode):
    x = np.zeros((4, 8), np.float32)
    x[1, 0], x[2, :2], x[3, 1] = 2.0, 5e-13, -3.0
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(run(cosine_gaps, x, x), 1 - unit @ unit.T, atol=1e-6)
