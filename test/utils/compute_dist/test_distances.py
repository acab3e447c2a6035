import numpy as np
import pytest

from fastreid.utils.compute_dist import (
    DistanceRows,
    build_dist,
    compute_cosine_distance,
    compute_euclidean_distance,
    distances,
    normalize_features,
    row_blocks,
)
from test.evaluation.retrieval_case import METRICS, golden_case


def test_euclidean_is_squared_and_the_default():
    assert build_dist(np.array([[0.0, 3.0]]), np.array([[4.0, 0.0]])) == 25


def test_fast_reids_functions_give_the_distances_of_one_kind():
    first, second = np.array([[0.0, 3.0], [1.0, 0.0]]), np.array([[4.0, 0.0]])
    assert compute_euclidean_distance(first, second).tolist() == [[25], [9]]
    assert compute_cosine_distance(first, second).tolist() == [[1], [0]]


def test_equal_features_are_never_at_a_negative_distance():
    features = np.random.RandomState(0).randn(50, 300) * 100
    assert build_dist(features, features, "euclidean").min() == 0


def test_zero_features_have_cosine_distance_one():
    assert build_dist(np.zeros((1, 3)), np.ones((1, 3)), "cosine") == 1


def test_normalized_features_have_norm_one_and_the_input_is_unchanged():
    features = np.array([[3.0, 4.0]], np.float32)
    np.testing.assert_allclose(normalize_features(features), [[0.6, 0.8]], rtol=1e-6)
    assert features.tolist() == [[3, 4]]


@pytest.mark.parametrize("metric", METRICS)
def test_rows_can_be_indexed_by_slice_or_array(metric):
    query, gallery, _ = golden_case()
    rows, whole = DistanceRows(query, gallery, metric=metric), build_dist(query, gallery, metric)
    assert rows.shape == whole.shape
    assert len(rows) == 40
    # Matrix products of other shapes round differently.
    np.testing.assert_allclose(rows[5:9], whole[5:9], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(rows[np.array([7, 2])], whole[[7, 2]], rtol=1e-5, atol=1e-5)


def test_an_unknown_metric_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'manhattan' \(TEST.METRIC\).*'cosine', 'euclidean'"):
        build_dist(np.ones((2, 3)), np.ones((2, 3)), "manhattan")


def test_features_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"not between \(2, 3\) and \(2, 4\)"):
        build_dist(np.ones((2, 3)), np.ones((2, 4)))


def test_blocks_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK_ELEMENTS", 30)
    assert list(row_blocks(7, 10)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(row_blocks(2, 100)) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [1e-4, 1e-3, 1e-2, 1e-1, 1.0])
def test_distances_between_near_features_are_accurate(metric, size):
    rng = np.random.RandomState(0)
    gallery = 100 * rng.randn(30, 64).astype(np.float32)
    query = (gallery[:20] * (1 + size * rng.randn(20, 64))).astype(np.float32)
    first, second = query.astype(np.float64), gallery.astype(np.float64)
    if metric == "cosine":
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second /= np.linalg.norm(second, axis=1, keepdims=True)
    want = ((first[:, None] - second) ** 2).sum(2) / (2 if metric == "cosine" else 1)
    got = build_dist(query, gallery, metric)
    # A product has lost six bits at the limit of near pairs. Lengths that are rounded to float32
    # turn a direction by 3e-8, which counts twice in a squared distance.
    angles = np.sqrt(want / (0.5 if metric == "cosine" else (first**2).sum(1)[:, None]))
    assert (np.abs(got - want) <= want * (3e-5 + 2e-7 / angles)).all()


def test_distances_of_collapsed_features_are_not_recomputed_from_differences(monkeypatch):
    monkeypatch.setattr(distances, "_MOST_NEAR_PAIRS", 0)
    monkeypatch.setattr(distances, "_MOST_NEAR_PER_ROW", 1)
    features = 1 + 1e-4 * np.random.RandomState(0).randn(6, 32).astype(np.float32)
    assert (build_dist(features, features, "cosine").diagonal() != 0).any()
    monkeypatch.setattr(distances, "_MOST_NEAR_PER_ROW", 6)
    assert (build_dist(features, features, "cosine").diagonal() == 0).all()
