import numpy as np
import pytest
import torch

from fastreid.solver import SGD
from test.solver.optim.stepping import Step, our_groups, run_ours, run_torch, torch_groups

VARIANTS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_five_steps_with_changing_rates_are_those_of_torch(mode, variant):
    options = VARIANTS[variant]
    got = run_ours(SGD(our_groups(), **options), range(5))
    want = run_torch(torch.optim.SGD(torch_groups(), lr=1.0, **options), range(5))
    for mine, theirs in zip(got, want):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_changed_rate_does_not_recompile(mode):
    if mode == "pynative":
        return
    optimizer = SGD(our_groups(), momentum=0.9)
    step = Step(optimizer)
    run_ours(optimizer, range(1), step)
    compiled = set(step.compile_cache)
    run_ours(optimizer, range(1, 4), step)
    assert set(step.compile_cache) == compiled


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_goes_on_bit_by_bit(mode, variant):
    options = VARIANTS[variant]
    whole = run_ours(SGD(our_groups(), **options), range(5))
    groups = our_groups()
    first = SGD(groups, **options)
    run_ours(first, range(3))
    state = first.state_dict()
    second = SGD(groups, **options)
    second.load_state_dict(state)
    for mine, theirs in zip(run_ours(second, range(3, 5)), whole):
        np.testing.assert_array_equal(mine, theirs)


def test_only_momentum_has_a_state():
    assert SGD(our_groups()).state_dict() == {}
    state = SGD(our_groups(), momentum=0.9).state_dict()
    assert sorted(state) == [
        "velocity.bn.beta",
        "velocity.bn.gamma",
        "velocity.conv.weight",
        "velocity.fc.weight",
    ]


def test_a_state_is_a_copy():
    optimizer = SGD(our_groups(), momentum=0.9)
    state = optimizer.state_dict()
    run_ours(optimizer, range(1))
    assert not any(value.any() for value in state.values())


@pytest.mark.parametrize("fault", ["name", "shape", "momentum"])
def test_a_foreign_state_is_refused_and_changes_nothing(fault):
    optimizer = SGD(our_groups(), momentum=0.9)
    state = {name: value + 1 for name, value in optimizer.state_dict().items()}
    if fault == "name":
        state["velocity.other"] = state.pop("velocity.bn.beta")
    elif fault == "shape":
        state["velocity.bn.beta"] = np.zeros(9, np.float32)
    else:
        state = {}
    with pytest.raises(
        ValueError, match=r"SGD state does not fit this optimizer .*velocity\.bn\.beta"
    ):
        optimizer.load_state_dict(state)
    assert not any(value.any() for value in optimizer.state_dict().values())


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match=r"SOLVER\.NESTEROV needs a SOLVER\.MOMENTUM above 0"):
        SGD(our_groups(), nesterov=True)
