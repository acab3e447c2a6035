import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.data.common import CommDataset
from fastreid.data.samplers import SAMPLER_REGISTRY, TrainingSampler
from fastreid.data.samplers.build import build_train_sampler
from fastreid.data.samplers.own_sampler import CheckedSampler
from fastreid.data.samplers.state import StateHistory

ITEMS = [(f"{number}.jpg", f"A_{number // 2}", f"A_{number % 2}") for number in range(10)]


@SAMPLER_REGISTRY.register()
class BackwardsSampler:
    def __init__(self, cfg, train_set):
        self.last = len(train_set) - 1
        self.seed = cfg.SEED

    def __iter__(self):
        while True:
            yield from range(self.last, -1, -1)


def first(sampler, count=15):
    return list(itertools.islice(sampler, count))


def test_a_registered_sampler_is_chosen_by_name_and_draws():
    cfg = get_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = "BackwardsSampler"
    sampler = build_train_sampler(cfg, CommDataset(ITEMS))
    assert first(sampler) == first(sampler) == [*range(9, -1, -1), 9, 8, 7, 6, 5]
    assert first(sampler.draw(12, StateHistory()), 3) == [7, 6, 5]
    assert not hasattr(sampler, "__len__")


def test_the_name_of_a_built_in_sampler_cannot_be_registered():
    with pytest.raises(KeyError, match="SAMPLER registry has a 'TrainingSampler' already"):
        SAMPLER_REGISTRY.register(type("TrainingSampler", (), {}))


def test_an_unknown_name_lists_the_samplers_and_says_how_to_add_one():
    cfg = get_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = "Forwards"
    message = r"'Forwards'; it can be one of \['BackwardsSampler', 'Bal.*, from a file in MODULES"
    with pytest.raises(ValueError, match=message):
        build_train_sampler(cfg, CommDataset(ITEMS))


def test_the_states_of_the_wrapped_sampler_are_recorded():
    ours = TrainingSampler(10, seed=3)
    history = StateHistory()
    drawn = first(CheckedSampler("Own", ours, 10).draw(0, history), 25)
    assert drawn == first(ours, 25)
    state = history.last_before(25)
    assert state.start == 20
    again = CheckedSampler("Own", ours, 10).draw(22, StateHistory(state))
    assert first(again, 3) == drawn[22:]


@pytest.mark.parametrize("wrong", [10, -1, 1.0, "1", None, np.float32(1)])
def test_an_invalid_index_is_named(wrong):
    sampler = CheckedSampler("Own", [0, np.int64(9), wrong], 10)
    with pytest.raises(ValueError, match=r"The sampler Own gave .*; it must .* from 0 to 9"):
        first(sampler)


def test_a_sampler_that_ends_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="Own ended after 2 images; .* must be endless"):
        first(CheckedSampler("Own", [0, 1], 10))


def test_a_sampler_that_cannot_be_iterated_is_rejected():
    with pytest.raises(ValueError, match="The sampler Own must have a method __iter__ .*Namespace"):
        CheckedSampler("Own", SimpleNamespace(), 10)
