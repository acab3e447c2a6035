import numpy as np
import pytest

from fastreid.utils.compute_dist import DistanceRows
from fastreid.utils.compute_dist import mutual_nearest as module
from fastreid.utils.compute_dist.mutual_nearest import NeighbourLists, mutual_nearest, sort_keys


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("num_images", "block"), [(300, 37), (300, 299), (200, 100), (50, 1024)])
@pytest.mark.parametrize("count", [1, 5, 18])
def test_neighbours_equal_those_of_the_full_distance_matrix(
    metric, num_images, block, count, monkeypatch
):
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    monkeypatch.setattr(module, "ROWS_PER_TASK", 10)
    features = np.random.RandomState(count).randn(num_images, 6)
    distances = DistanceRows(features, features, metric=metric)
    want = distances[:]
    got = mutual_nearest(distances, count)
    # Blocks of another shape round differently, which may swap two neighbours.
    near = np.take_along_axis(want, got.astype(np.int64), axis=1)
    np.testing.assert_allclose(near, np.sort(want, axis=1)[:, :count], rtol=1e-5, atol=1e-5)
    assert [len(set(row)) for row in got.tolist()] == [count] * num_images


@pytest.mark.parametrize("block", [20, 33, 64])
def test_equal_distances_are_ordered_by_index(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    # Small whole numbers: every product is exact, and most distances are equal.
    features = np.random.RandomState(0).randint(0, 2, (130, 5)).astype(np.float32)
    distances = DistanceRows(features, features, metric="euclidean")
    want = np.argsort(distances[:], axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(mutual_nearest(distances, 9), want)


def test_with_fewer_images_than_neighbours_all_are_returned():
    features = np.eye(3, dtype=np.float32)
    assert mutual_nearest(DistanceRows(features, features), 5).shape == (3, 3)


def test_keys_sort_by_image_then_by_distance():
    dist = np.array([0.0, -0.0, -1e-7, 3, 0.5, -2, 1e30], np.float32)
    images = np.array([1, 1, 1, 0, 0, 0, 0])
    keys = sort_keys(images, dist)
    np.testing.assert_array_equal(np.argsort(keys, kind="stable"), np.lexsort((dist, images)))


@pytest.mark.parametrize("most_pending", [0, 4])
def test_neighbours_are_right_when_consecutive_images_are_similar(most_pending, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 16)
    monkeypatch.setattr(module, "MOST_PENDING", most_pending)
    # Whole numbers on a line: distances are exact, and every block is nearer than those before.
    features = np.stack([np.arange(150), np.zeros(150)], axis=1).astype(np.float32)
    distances = DistanceRows(features, features, metric="euclidean")
    want = np.argsort(distances[:], axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(mutual_nearest(distances, 7), want)


def test_equal_features_keep_the_number_of_candidates_small():
    features = np.ones((200, 3), np.float32)
    distances = DistanceRows(features, features, metric="euclidean")
    lists, noted = NeighbourLists(200, 5), 0
    for start in range(0, 200, 20):
        lists.take_in(distances.columns_from(start, slice(start, start + 20)), start)
        noted += lists.num_pending
        lists.merge()
        assert lists.num_pending == 0
    assert lists.nearest.tolist() == [[0, 1, 2, 3, 4]] * 200
    # Each image's own row, and the first block's columns: not 200 x 200.
    assert noted <= 2 * 200 * 5
