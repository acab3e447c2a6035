import numpy as np
import pytest

from fastreid.utils.compute_dist import DistanceRows, build_dist, nearest
from fastreid.utils.compute_dist import distances as compute_dist
from fastreid.utils.compute_dist.nearest import nearest_indices


@pytest.mark.parametrize("block", [20, 10**6])
@pytest.mark.parametrize("samples", [1, 2, 16])
def test_nearest_are_in_order_and_ties_go_by_index(block, samples, monkeypatch):
    monkeypatch.setattr(compute_dist, "BLOCK_ELEMENTS", block)
    monkeypatch.setattr(nearest, "SAMPLES_PER_NEIGHBOUR", samples)
    monkeypatch.setattr(nearest, "ROWS_PER_TASK", 4)
    for levels in (1, 4, 10**6):
        dist = np.random.RandomState(0).randint(0, levels, (9, 131)).astype(np.float32)
        for count in (1, 4, 11, 131, 300):
            want = np.argsort(dist, axis=1, kind="stable")[:, :count]
            np.testing.assert_array_equal(nearest_indices(dist, count), want)


def test_lazy_rows_give_the_same_neighbours():
    rng = np.random.RandomState(1)
    first, second = rng.randn(70, 8), rng.randn(300, 8)
    want = nearest_indices(build_dist(first, second, "cosine"), 5)
    np.testing.assert_array_equal(nearest_indices(DistanceRows(first, second), 5), want)
