import itertools
import json

import numpy as np
import pytest

from fastreid.data.samplers import (
    BalancedIdentitySampler,
    ImbalancedDatasetSampler,
    NaiveIdentitySampler,
    SetReWeightSampler,
    SubsetSampler,
    TrainingSampler,
)
from fastreid.data.samplers.state import PassStream, SamplerState, StateHistory, draw_from

# Two cameras with identities of their own, of which some have fewer images than the rest.
ITEMS = [(str(n), f"A_{n // 5}", f"A_{n // 30}") for n in range(58)]
BY_IDENTITY = {"num_instances": 2, "seed": 3}
SAMPLERS = {
    "TrainingSampler": lambda: TrainingSampler(23, seed=3),
    "in order": lambda: TrainingSampler(23, shuffle=False),
    "ImbalancedDatasetSampler": lambda: ImbalancedDatasetSampler(ITEMS, seed=3),
    "NaiveIdentitySampler": lambda: NaiveIdentitySampler(ITEMS, 8, **BY_IDENTITY),
    "BalancedIdentitySampler": lambda: BalancedIdentitySampler(ITEMS, 8, **BY_IDENTITY),
    "SetReWeightSampler": lambda: SetReWeightSampler(ITEMS, 8, set_weight=[1, 1], **BY_IDENTITY),
    "SubsetSampler": lambda: SubsetSampler(
        NaiveIdentitySampler(ITEMS[:40], 8, **BY_IDENTITY), range(1000, 1040)
    ),
}
LONGEST_PASS = len(ITEMS)


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_a_sampler_resumes_from_a_stored_state_at_any_position(make):
    whole = list(itertools.islice(make(), 400))
    for place in (0, 1, 57, 58, 59, 160, 300):
        history = StateHistory()
        # Half a batch more is drawn than was used.
        drawn = list(itertools.islice(draw_from(make(), 0, history), place + 4))
        assert drawn == whole[: place + 4]
        state = history.last_before(place)
        assert state is not None or place < LONGEST_PASS
        if state is not None:
            assert 0 <= place - state.start <= LONGEST_PASS
            state = SamplerState.from_dict(json.loads(json.dumps(state.to_dict())))
        rest = draw_from(make(), place, StateHistory(state))
        assert list(itertools.islice(rest, 400 - place)) == whole[place:]


def test_passes_before_a_state_are_not_drawn_again():
    begun = []

    def one_pass(rng):
        begun.append(rng)
        yield from rng.permutation(10).tolist()

    stream, history = PassStream(one_pass, seed=1), StateHistory()
    whole = list(itertools.islice(stream.draw(0, history), 60))
    assert len(begun) == 6
    begun.clear()
    again = stream.draw(45, StateHistory(history.last_before(45)))
    assert [next(again) for _ in range(5)] == whole[45:50]
    assert len(begun) == 1


def test_a_sampler_can_be_resumed_several_times():
    place, state, drawn = 0, None, []
    for _ in range(9):
        history = StateHistory(state)
        drawn += itertools.islice(SAMPLERS["TrainingSampler"]().draw(place, history), 17)
        place += 17
        state = history.last_before(place)
    assert drawn == list(itertools.islice(SAMPLERS["TrainingSampler"](), 9 * 17))
    assert state.start == 9 * 17 // 23 * 23


@pytest.mark.parametrize("sampler", [NaiveIdentitySampler, BalancedIdentitySampler])
def test_ranks_that_share_a_stream_start_at_any_position_and_record_no_states(sampler):
    parts = [sampler(ITEMS, 4, rank=rank, world_size=2, **BY_IDENTITY) for rank in range(2)]
    for part in parts:
        history = StateHistory()
        got = list(itertools.islice(part.draw(37, history), 80))
        assert got == list(itertools.islice(part, 117))[37:]
        assert history.last_before(37) is None


def test_the_first_indices_of_a_sampler_without_draw_are_skipped():
    history = StateHistory()
    assert list(draw_from([5, 6, 7], 1, history)) == [6, 7]
    assert history.last_before(3) is None


def test_the_history_drops_states_before_the_last_one_asked_for():
    history = StateHistory()
    for index in range(0, 100, 10):
        history.add(SamplerState(index, {}))
    assert history.last_before(35).start == 30
    assert history.last_before(39).start == 30
    assert len(history) == 7
    assert history.last_before(1000).start == 90
    assert len(history) == 1


def damaged(**changes):
    plain = SamplerState(3, np.random.RandomState(1).get_state(legacy=False)).to_dict()
    return {**plain, **changes}


@pytest.mark.parametrize(
    "plain",
    [
        {},
        damaged(index=-1),
        damaged(index="3"),
        damaged(generator=None),
        damaged(generator={"bit_generator": "MT19937"}),
        damaged(generator={**damaged()["generator"], "bit_generator": "PCG64"}),
        damaged(generator={**damaged()["generator"], "state": {"key": [1, 2], "pos": 3}}),
        damaged(generator={**damaged()["generator"], "state": {"key": [-1] * 624, "pos": 3}}),
        damaged(generator={**damaged()["generator"], "state": {"key": [1] * 625, "pos": 3}}),
        damaged(generator={**damaged()["generator"], "state": {"key": [1] * 624, "pos": 625}}),
    ],
    ids=range(10),
)
def test_a_damaged_state_is_rejected(plain):
    with pytest.raises(ValueError, match="state of a sampler is damaged.*an earlier checkpoint"):
        SamplerState.from_dict(plain)


def test_a_state_in_the_form_of_release_0_1_is_read_and_written():
    """The form in which checkpoints hold the states, under the key "bookmarks"."""
    _, key, position, has_gauss, gauss = np.random.RandomState(11).get_state()
    words = {"key": key.tolist(), "pos": position}
    generator = {"bit_generator": "MT19937", "has_gauss": has_gauss, "gauss": gauss}
    stored = {"index": 46, "generator": {**generator, "state": words}}
    state = SamplerState.from_dict(json.loads(json.dumps(stored)))
    assert state.to_dict() == stored
    resumed = TrainingSampler(23, seed=4).draw(46, StateHistory(state))
    expected = itertools.islice(TrainingSampler(23, seed=11), 23)
    assert list(itertools.islice(resumed, 23)) == list(expected)
