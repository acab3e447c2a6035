import itertools

import pytest

from fastreid.data.samplers import InferenceSampler, SubsetSampler, TrainingSampler


def take(sampler, count):
    return list(itertools.islice(sampler, count))


def test_every_pass_holds_every_image_once():
    indices = take(TrainingSampler(10, seed=1), 30)
    assert all(sorted(indices[start : start + 10]) == list(range(10)) for start in (0, 10, 20))
    assert indices[:10] != indices[10:20]


def test_without_shuffling_the_order_is_kept():
    assert take(TrainingSampler(3, shuffle=False), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_ranks_share_one_stream():
    whole = take(TrainingSampler(10, seed=1), 30)
    for rank in range(3):
        assert take(TrainingSampler(10, seed=1, rank=rank, world_size=3), 10) == whole[rank::3]


def test_iterating_again_gives_the_same_stream():
    sampler = TrainingSampler(10, seed=1)
    assert take(sampler, 15) == take(sampler, 15)


@pytest.mark.parametrize(("size", "world_size"), [(10, 1), (10, 3), (2, 4), (12, 4)])
def test_inference_sampler_gives_every_image_once(size, world_size):
    shares = [
        InferenceSampler(size, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    assert list(itertools.chain(*shares)) == list(range(size))
    assert sum(map(len, shares)) == size


def test_a_subset_sampler_gives_indices_into_all_images():
    assert list(SubsetSampler([2, 0, 1, 0], [10, 20, 30])) == [30, 10, 20, 10]


@pytest.mark.parametrize("sampler", [TrainingSampler, InferenceSampler])
def test_a_data_set_without_images_is_rejected(sampler):
    with pytest.raises(ValueError, match="no images to draw from"):
        sampler(0)
