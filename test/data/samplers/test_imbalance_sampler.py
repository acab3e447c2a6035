import itertools

import numpy as np
import pytest

from fastreid.data.samplers import ImbalancedDatasetSampler

ITEMS = [(str(number), "A_0" if number < 90 else "A_1", "A_0") for number in range(100)]


def test_identities_are_drawn_equally_often_and_images_within_them_too():
    drawn = np.array(list(itertools.islice(ImbalancedDatasetSampler(ITEMS, seed=4), 20000)))
    assert abs((drawn < 90).mean() - 0.5) < 0.02
    counts = np.bincount(drawn, minlength=100)
    assert abs(counts[90:] / 20000 - 0.05).max() < 0.01
    assert counts[:90].min() > 0


def test_the_seed_determines_the_draws_and_ranks_share_them():
    def draw(**options):
        return list(itertools.islice(ImbalancedDatasetSampler(ITEMS, size=7, **options), 40))

    assert draw(seed=1) == draw(seed=1) != draw(seed=2)
    assert draw(seed=1, rank=1, world_size=2)[:20] == draw(seed=1)[1::2]


def test_a_data_set_without_images_is_rejected():
    with pytest.raises(ValueError, match="no images to draw from"):
        ImbalancedDatasetSampler([])
