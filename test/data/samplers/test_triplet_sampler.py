import itertools
from collections import Counter

import numpy as np
import pytest

from fastreid.data.samplers import (
    BalancedIdentitySampler,
    NaiveIdentitySampler,
    SetReWeightSampler,
)
from test.golden.golden_inputs import item_list

ITEMS = item_list(30, 3, 0)
BY_IDENTITY = [NaiveIdentitySampler, BalancedIdentitySampler]


def take(sampler, count):
    return list(itertools.islice(sampler, count))


def batches_of(sampler, size, count):
    indices = take(sampler, size * count)
    return [indices[start : start + size] for start in range(0, len(indices), size)]


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_a_batch_has_p_identities_with_k_images_each(sampler):
    for batch in batches_of(sampler(ITEMS, 12, num_instances=3, seed=2), 12, 40):
        groups = [batch[start : start + 3] for start in range(0, 12, 3)]
        pids = [{ITEMS[index][1] for index in group} for group in groups]
        assert all(len(pid) == 1 for pid in pids)
        assert len(set.union(*pids)) == 4


def test_a_naive_pass_does_not_repeat_images_of_identities_that_have_enough():
    items = [(str(number), f"A_{number // 4}", "A_0") for number in range(32)]
    # 8 identities with 4 images: at least 3 of 4 batches of a pass fit before too few remain.
    drawn = take(NaiveIdentitySampler(items, 8, num_instances=2, seed=0), 24)
    assert len(set(drawn)) == 24


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_an_identity_with_one_image_repeats_it(sampler):
    items = [("0", "A_0", "A_0"), *((str(n), f"A_{n}", f"A_{n}") for n in range(1, 4))]
    for batch in batches_of(sampler(items, 8, num_instances=4), 8, 5):
        assert all(len(set(batch[start : start + 4])) == 1 for start in (0, 4))


def test_balanced_batches_have_several_cameras_of_an_identity_where_possible():
    items = [(str(n), f"A_{n // 6}", f"A_{n % 3}") for n in range(36)]
    for batch in batches_of(BalancedIdentitySampler(items, 4, num_instances=2, seed=3), 4, 20):
        for first, second in (batch[:2], batch[2:]):
            assert items[first][2] != items[second][2]


def test_balanced_passes_hold_every_identity_at_most_once():
    drawn = take(BalancedIdentitySampler(ITEMS, 16, num_instances=4, seed=1), 7 * 16)
    assert max(Counter(ITEMS[index][1] for index in drawn[::4]).values()) == 1


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_each_rank_gets_whole_identities(sampler):
    for rank in range(2):
        part = sampler(ITEMS, 8, num_instances=4, seed=7, rank=rank, world_size=2)
        for batch in batches_of(part, 8, 10):
            assert sorted(Counter(ITEMS[index][1] for index in batch).values()) == [4, 4]


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_iterating_again_gives_the_same_stream(sampler):
    drawn = sampler(ITEMS, 8, num_instances=4, seed=7)
    assert take(drawn, 50) == take(drawn, 50)


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_a_batch_that_num_instance_does_not_divide_is_rejected(sampler):
    with pytest.raises(
        ValueError, match=r"batch of 14 .* multiple of .*NUM_INSTANCE \(4\).*12 and 16"
    ):
        sampler(ITEMS, 14, num_instances=4)
    with pytest.raises(ValueError, match="NUM_INSTANCE must be at least 1, not 0"):
        sampler(ITEMS, 14, num_instances=0)


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_too_few_identities_are_rejected(sampler):
    message = "needs 32 identities, and the data has 30: lower SOLVER.IMS_PER_BATCH .* 60 images"
    with pytest.raises(ValueError, match=message):
        sampler(ITEMS, 64, num_instances=2)


@pytest.mark.parametrize("sampler", BY_IDENTITY)
def test_a_data_set_without_images_is_rejected(sampler):
    with pytest.raises(ValueError, match="no images to draw from"):
        sampler([], 8, num_instances=2)


CAMERAS = [(str(n), f"A_{n // 2}", f"A_{n % 10 // 5}") for n in range(100)]


def test_set_weights_determine_the_number_of_identities_of_each_camera():
    # Two cameras with identities of their own.
    items = [(str(n), f"A_{n // 4}", f"A_{n // 40}") for n in range(80)]
    sampler = SetReWeightSampler(items, 16, num_instances=2, set_weight=[1, 3], seed=0)
    for batch in batches_of(sampler, 16, 20):
        assert Counter(items[index][2] for index in batch) == {"A_0": 4, "A_1": 12}


def test_identities_of_a_camera_are_drawn_in_proportion_to_their_images():
    items = [(str(n), "A_0" if n < 9 else "A_1", "A_0") for n in range(10)]
    sampler = SetReWeightSampler(items, 1, num_instances=1, set_weight=[1], seed=0)
    share = np.mean([index < 9 for index in take(sampler, 3000)])
    assert abs(share - 0.9) < 0.03


@pytest.mark.parametrize(
    ("batch_size", "weights", "message"),
    [
        (16, [1], r"SET_WEIGHT \[1\] must have one number for each of the 2 cameras"),
        (16, [0, 0], "at least one of them above 0"),
        (16, [1, 2], r"batch of 16 .* multiple of 6: the sum of DATALOADER.SET_WEIGHT \(3\)"),
        (200, [60, 40], "asks for 60 identities of camera A_0, which has"),
    ],
)
def test_set_weights_that_do_not_match_are_rejected(batch_size, weights, message):
    with pytest.raises(ValueError, match=message):
        SetReWeightSampler(CAMERAS, batch_size, num_instances=2, set_weight=weights)
