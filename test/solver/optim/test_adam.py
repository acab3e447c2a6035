import numpy as np
import pytest
import torch
from mindspore import Tensor, ops

from fastreid.solver import Adam, ParamGroup
from test.solver.optim.stepping import (
    Step,
    gradients_of,
    our_groups,
    run_ours,
    run_torch,
    torch_groups,
)


def test_five_steps_with_changing_rates_are_those_of_torch(mode):
    got = run_ours(Adam(our_groups()), range(5))
    want = run_torch(torch.optim.Adam(torch_groups()), range(5))
    for mine, theirs in zip(got, want):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)


def test_a_resumed_run_goes_on_bit_by_bit(mode):
    whole = run_ours(Adam(our_groups()), range(5))
    first = Adam(our_groups())
    halfway = run_ours(first, range(3))
    second = Adam(our_groups())
    for parameter, value in zip(second.parameters, halfway):
        ops.assign(parameter, Tensor(value))
    second.load_state_dict(first.state_dict())
    for mine, theirs in zip(run_ours(second, range(3, 5)), whole):
        np.testing.assert_array_equal(mine, theirs)


def test_the_state_holds_neither_weights_nor_rates():
    state = Adam(our_groups()).state_dict()
    assert not set(state) & {parameter.name for g in our_groups() for parameter in g.parameters}
    assert not [name for name in state if "learning_rate" in name]
    assert len([name for name in state if "moment" in name]) == 8


def test_a_foreign_state_is_refused():
    optimizer = Adam(our_groups())
    state = optimizer.state_dict()
    name, value = state.popitem()
    with pytest.raises(ValueError, match="Adam state does not fit this optimizer"):
        optimizer.load_state_dict(state)
    with pytest.raises(ValueError, match="Adam state does not fit this optimizer"):
        optimizer.load_state_dict({**state, name: np.zeros((5, 5, 5)), "else": value})


def test_groups_of_equal_settings_keep_their_own_rates(mode):
    groups = [ParamGroup(g.parameters, 0.1, 0.0) for g in our_groups()]
    optimizer = Adam(groups)
    before = [parameter.asnumpy().copy() for parameter in optimizer.parameters]
    optimizer.set_learning_rates([0.0, 0.5])
    Step(optimizer)(*map(Tensor, gradients_of(0)))
    moved = [
        not np.array_equal(parameter.asnumpy(), value)
        for parameter, value in zip(optimizer.parameters, before)
    ]
    assert moved == [False, False, True, True]
