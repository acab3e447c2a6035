from unittest import mock

import mindspore as ms
import numpy as np
import pytest

from fastreid.evaluation import JaccardRows, evaluate_rank, positions
from fastreid.evaluation.device import DeviceProduct, block, choose_product
from fastreid.evaluation.device import positions as device_positions
from fastreid.utils.compute_dist import DistanceRows, blas_product
from fastreid.utils.compute_dist import distances as compute_dist
from fastreid.utils.compute_dist.nearest import nearest_indices
from test.evaluation.retrieval_case import METRICS, golden_case


def on_device(query, gallery, metric="cosine"):
    return DistanceRows(query, gallery, metric=metric, make_product=DeviceProduct)


def as_computed_by_the_host(distances):
    """Return the distances that the host computes from the device's products."""
    return np.concatenate([distances[rows] for rows in compute_dist.row_blocks(*distances.shape)])


def similar_images(seed=0, copies=3):
    """Return features and labels of images with near duplicates and exact copies."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, 24)).astype(np.float32)
    gallery = np.repeat(centres, 6, axis=0)
    # The second image of each identity is very near to the first, the others are not.
    noise = rng.standard_normal(gallery.shape).astype(np.float32)
    noise *= np.tile([0, 1e-4, 0.5, 0.7, 1, 1], len(centres))[:, np.newaxis]
    gallery = np.concatenate([gallery + noise.astype(np.float32)] * copies)
    pids = np.tile(np.repeat(np.arange(40), 6), copies)
    camids = rng.integers(0, 4, len(pids))
    query, q_pids = centres[::2], np.arange(40)[::2]
    return query, gallery, (q_pids, pids, np.zeros(len(query), int), camids)


def assert_equal_scores(found, wanted):
    for one, other in zip(found, wanted):
        np.testing.assert_array_equal(one, other)


def test_blas_is_used_on_cpu_and_mindspore_on_a_device(monkeypatch):
    assert choose_product() is blas_product
    monkeypatch.setattr(ms, "get_context", {"device_target": "GPU"}.get)
    assert choose_product() is DeviceProduct


@pytest.mark.parametrize("metric", METRICS)
def test_products_on_a_device_equal_those_of_blas(metric, mode):
    query, gallery, _ = golden_case()
    host = DistanceRows(query, gallery, metric=metric)
    device = on_device(query, gallery, metric)
    largest = np.abs(host[:]).max()
    np.testing.assert_allclose(device[:], host[:], rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(device[3:5], host[3:5], rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("metric", METRICS)
def test_distances_on_the_device_equal_those_on_the_host_bit_by_bit(metric, mode):
    query, gallery, _ = similar_images()
    distances = on_device(query, gallery, metric)
    found = distances.device_rows(slice(0, 20)).rows(np.arange(20))
    np.testing.assert_array_equal(found, distances[:20])
    # Without differences, near distances would be wrong in their third digit.
    near = np.sort(found, axis=1)[:, 3:6]
    exact = DistanceRows(query.astype(np.float64), gallery, metric=metric)
    np.testing.assert_allclose(near, np.sort(exact[:], axis=1)[:, 3:6], rtol=1e-4)
    assert (near > 0).all() and (near < 1e-6 * exact.largest).all()


@pytest.mark.parametrize("rows_of_a_block", [7, 1024])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", [golden_case, similar_images])
def test_ranks_counted_on_the_device_are_those_of_the_host(
    case, metric, rows_of_a_block, mode, monkeypatch
):
    monkeypatch.setattr(compute_dist, "BLOCK_ROWS", rows_of_a_block)
    query, gallery, labels = case()
    distances = on_device(query, gallery, metric)
    host = evaluate_rank(as_computed_by_the_host(distances), *labels)
    with mock.patch.object(DistanceRows, "__getitem__", side_effect=AssertionError):
        assert_equal_scores(evaluate_rank(distances, *labels), host)
    assert 0 < host.mean_ap < 1


@pytest.mark.parametrize("most_counted", [0, 10])
def test_queries_with_many_matches_are_ranked_on_the_host(most_counted, monkeypatch):
    query, gallery, labels = similar_images()
    wanted = evaluate_rank(on_device(query, gallery), *labels)
    monkeypatch.setattr(device_positions, "MOST_COUNTED", most_counted)
    ranked = mock.Mock(side_effect=positions.match_positions)
    monkeypatch.setattr(device_positions, "match_positions", ranked)
    assert_equal_scores(evaluate_rank(on_device(query, gallery), *labels), wanted)
    many = [call for call in ranked.call_args_list if len(call.args[1]) > most_counted]
    assert len(many) == ranked.call_count > 0


def test_queries_without_a_match_and_blocks_of_them_are_excluded(monkeypatch):
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = similar_images()
    q_pids = np.where(np.arange(20) < 10, 99, q_pids)
    monkeypatch.setattr(compute_dist, "BLOCK_ROWS", 5)
    distances = on_device(query, gallery)
    labels = (q_pids, g_pids, q_camids, g_camids)
    found = evaluate_rank(distances, *labels)
    assert found.query_indices.tolist() == list(range(10, 20))
    assert_equal_scores(found, evaluate_rank(as_computed_by_the_host(distances), *labels))


@pytest.mark.parametrize(("side", "row", "query"), [("query", 7, 7), ("gallery", 30, 0)])
@pytest.mark.parametrize("metric", METRICS)
def test_invalid_distances_are_refused_with_the_query(metric, side, row, query):
    queries, gallery, labels = similar_images()
    {"query": queries, "gallery": gallery}[side][row, 2] = np.nan
    with pytest.raises(ValueError, match=f"Distances of query {query} are not numbers"):
        evaluate_rank(on_device(queries, gallery, metric), *labels)


def test_the_lower_limit_of_distances_keeps_what_is_not_a_number():
    # On a GPU the maximum of NaN and 0 is 0.
    features = np.array([[1, 0], [np.nan, 1]], np.float32)
    with mock.patch.object(ms.ops, "maximum", side_effect=AssertionError):
        block = DeviceProduct(features).euclidean(
            features, np.square(features).sum(1), np.square(features).sum(1)
        )
        assert block.invalid_rows().tolist() == [0, 1]


def test_collapsed_features_are_ranked_by_index():
    # All pairs are near: more than the limit, so the products are kept, and all distances are tied.
    query, gallery = np.ones((12, 8), np.float32), np.ones((9000, 8), np.float32)
    pids = np.arange(9000) % 30
    labels = (np.arange(12), pids, np.zeros(12, int), np.ones(9000, int))
    distances = on_device(query, gallery, "euclidean")
    host = evaluate_rank(as_computed_by_the_host(distances), *labels)
    assert_equal_scores(evaluate_rank(distances, *labels), host)


def test_single_shot_galleries_are_ranked_on_the_host():
    query, gallery, labels = golden_case()
    distances = on_device(query, gallery)
    host = as_computed_by_the_host(distances)
    wanted = evaluate_rank(host, *labels, use_metric_cuhk03=True)
    assert_equal_scores(evaluate_rank(distances, *labels, use_metric_cuhk03=True), wanted)


def test_larger_galleries_than_the_device_can_count_are_ranked_on_the_host(monkeypatch):
    query, gallery, labels = golden_case()
    wanted = evaluate_rank(on_device(query, gallery), *labels)
    monkeypatch.setattr(DeviceProduct, "most_columns", len(gallery) - 1)
    with mock.patch.object(DistanceRows, "device_rows", side_effect=AssertionError):
        assert_equal_scores(evaluate_rank(on_device(query, gallery), *labels), wanted)


@pytest.mark.parametrize("searched", [0, 1024])
@pytest.mark.parametrize("case", [golden_case, similar_images])
@pytest.mark.parametrize("metric", METRICS)
def test_the_device_finds_the_same_neighbours(metric, case, searched, mode, monkeypatch):
    monkeypatch.setattr(block, "MOST_SEARCHED", searched)
    query, gallery, _ = case()
    distances = on_device(query, gallery, metric)
    on_host = as_computed_by_the_host(distances)
    with mock.patch.object(DistanceRows, "columns_from", side_effect=AssertionError):
        few, everything = (nearest_indices(distances, count) for count in (7, len(gallery)))
    np.testing.assert_array_equal(few, nearest_indices(on_host, 7))
    np.testing.assert_array_equal(everything, nearest_indices(on_host, len(gallery)))


def test_re_ranking_takes_the_neighbours_from_the_device():
    query, gallery, _ = similar_images(copies=1)
    features = np.concatenate([query, gallery])
    host = JaccardRows(features, len(query), k1=10, k2=3)
    with mock.patch.object(DistanceRows, "columns_from", side_effect=AssertionError):
        device = JaccardRows(features, len(query), k1=10, k2=3, make_product=DeviceProduct)
    np.testing.assert_allclose(device[:], host[:], rtol=0, atol=1e-6)
