"""The optimizers of `RULES` against torch.optim, and LAMB against a loop of NumPy."""

import numpy as np
import pytest
import torch
from mindspore import Tensor, ops

from fastreid.solver import RULES, Adaptive
from test.solver.optim.stepping import (
    SETTINGS,
    gradients_of,
    our_groups,
    rates_at,
    run_ours,
    run_torch,
    start_values,
    torch_groups,
)

# RAdam changes its rule in step 6.
STEPS = range(6)
OF_TORCH = sorted(set(RULES) - {"Lamb", "LAMB"})


@pytest.mark.parametrize("name", OF_TORCH)
def test_steps_with_changing_rates_are_those_of_torch(mode, name):
    got = run_ours(Adaptive(our_groups(), name=name), STEPS)
    want = run_torch(getattr(torch.optim, name)(torch_groups()), STEPS)
    for mine, theirs in zip(got, want):
        np.testing.assert_allclose(mine, theirs, rtol=3e-6, atol=1e-6)


def lamb_by_numpy(steps):
    """Equations of You et al. without bias corrections; the norm of a weight counts up to 10."""
    weights = [value.astype(np.float64) for value in start_values().values()]
    means, squares = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    for step in steps:
        for i, gradient in enumerate(gradients_of(step)):
            rate, decay = rates_at(step)[i // 2], SETTINGS[i // 2][1]
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient.astype(np.float64) ** 2
            change = means[i] / (np.sqrt(squares[i]) + 1e-6) + decay * weights[i]
            trust = min(np.linalg.norm(weights[i]), 10) / np.linalg.norm(change)
            weights[i] = weights[i] - rate * trust * change
    return weights


def test_lamb_follows_its_equations(mode):
    got = run_ours(Adaptive(our_groups(), name="LAMB"), STEPS)
    for mine, theirs in zip(got, lamb_by_numpy(STEPS)):
        np.testing.assert_allclose(mine, theirs, rtol=3e-6, atol=1e-6)


def test_lamb_moves_a_weight_of_zeros_without_trust_ratio():
    groups = our_groups()
    ops.assign(groups[0].parameters[0], ops.zeros((3, 2)))
    moved = run_ours(Adaptive(groups, name="LAMB"), range(1))[0]
    gradient = gradients_of(0)[0]
    want = -0.1 * 0.1 * gradient / (np.sqrt(0.001) * np.abs(gradient) + 1e-6)
    np.testing.assert_allclose(moved, want, rtol=1e-5)


@pytest.mark.parametrize("name", ["NAdam", "Adagrad"])
def test_a_resumed_run_goes_on_bit_by_bit(name):
    whole = run_ours(Adaptive(our_groups(), name=name), range(5))
    first, second = (Adaptive(our_groups(), name=name) for _ in range(2))
    for parameter, value in zip(second.parameters, run_ours(first, range(3))):
        ops.assign(parameter, Tensor(value))
    second.load_state_dict(first.state_dict())
    for mine, theirs in zip(run_ours(second, range(3, 5)), whole):
        np.testing.assert_array_equal(mine, theirs)


def test_the_state_of_another_optimizer_is_refused():
    optimizer = Adaptive(our_groups(), name="RMSprop")
    state = Adaptive(our_groups(), name="RAdam").state_dict()
    with pytest.raises(ValueError, match="RMSprop state does not fit this optimizer"):
        optimizer.load_state_dict(state)
