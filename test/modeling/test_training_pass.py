"""What the comparisons of training passes refuse."""

import numpy as np
import pytest

from test.modeling.training_pass import (
    MOST_LOSS_ERROR,
    SINGLE_CHANGE,
    Pass,
    assert_near_as_rounding,
    assert_same,
)

RNG = np.random.RandomState(0)
LOSSES = np.array([1.4, 0.6])
GRADIENTS = {name: RNG.randn(4, 3) for name in "abc"}
STATISTICS = {"norm.moving_mean": np.ones(3)}
USUAL = Pass(LOSSES, GRADIENTS, STATISTICS)


def near(size, *, losses=None, gradient=None):
    """The usual pass with random relative changes: of losses, of one gradient, of the others."""
    sizes = {"a": size if gradient is None else gradient}
    return Pass(
        LOSSES * (1 + (size if losses is None else losses)),
        {n: g * (1 + sizes.get(n, size) * RNG.randn(*g.shape)) for n, g in GRADIENTS.items()},
        STATISTICS,
    )


def test_a_pass_with_the_same_rounding_is_near():
    assert_near_as_rounding(near(1e-4), USUAL, [near(1e-4), near(1e-4)])
    assert_same(near(SINGLE_CHANGE, losses=0), USUAL, [near(SINGLE_CHANGE), near(SINGLE_CHANGE)])


def test_a_gradient_that_differs_by_more_than_rounding_is_refused():
    rounded = [near(1e-4), near(1e-4)]
    with pytest.raises(AssertionError, match="'a'"):
        assert_near_as_rounding(near(1e-4, gradient=1e-2), USUAL, rounded)
    changed = [near(SINGLE_CHANGE), near(SINGLE_CHANGE)]
    with pytest.raises(AssertionError, match="'a'"):
        assert_same(near(SINGLE_CHANGE, losses=0, gradient=1e-3), USUAL, changed)


def test_a_loss_that_differs_by_more_than_rounding_is_refused():
    with pytest.raises(AssertionError, match=r"1\.4"):
        assert_near_as_rounding(near(1e-4, losses=1.5e-3), USUAL, [near(1e-4), near(1e-4)])


def test_a_loss_that_is_off_is_refused_however_large_the_rounding_is():
    rounded = [near(1e-2), near(1e-2)]
    assert_near_as_rounding(near(1e-2, losses=MOST_LOSS_ERROR / 2), USUAL, rounded)
    with pytest.raises(AssertionError, match=r"1\.4"):
        assert_near_as_rounding(near(1e-2, losses=MOST_LOSS_ERROR * 2), USUAL, rounded)


def test_passes_of_which_most_gradients_are_rounding_are_refused():
    rounded = [near(1.0, losses=1e-4), near(1.0, losses=1e-4)]
    with pytest.raises(AssertionError):
        assert_near_as_rounding(near(1.0, losses=1e-4), USUAL, rounded)


def test_a_pass_that_is_single_precision_is_no_half_precision():
    with pytest.raises(AssertionError, match="nothing was computed in float16"):
        assert_near_as_rounding(USUAL, USUAL, [near(1e-4), near(1e-4)])
