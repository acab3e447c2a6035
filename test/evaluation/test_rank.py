import numpy as np
import pytest

from fastreid.evaluation import evaluate_rank, positions
from fastreid.utils.compute_dist import DistanceRows, build_dist
from fastreid.utils.compute_dist import distances as compute_dist
from test.evaluation.retrieval_case import golden_case, small_case


def test_scores_match_a_hand_computed_ranking():
    # In order: wrong, right, junk (own camera), right.
    dist = np.array([[0.4, 0.2, 0.3, 0.1]])
    result = evaluate_rank(dist, [1], [1, 1, 1, 2], [0], [1, 2, 0, 0], max_rank=3)
    assert result.cmc.tolist() == [0, 1, 1]
    np.testing.assert_allclose(result.all_ap, [(1 / 2 + 2 / 3) / 2])
    np.testing.assert_allclose(result.all_inp, [2 / 3])


def test_another_identity_from_the_same_camera_counts():
    result = evaluate_rank(np.array([[0.1, 0.2]]), [1], [2, 1], [0], [0, 1])
    assert result.cmc[:2].tolist() == [0, 1]


def test_the_cmc_of_a_small_gallery_is_padded():
    result = evaluate_rank(np.array([[0.2, 0.1]]), [1], [1, 2], [0], [1, 1], max_rank=10)
    assert result.cmc.tolist() == [0] + [1] * 9


@pytest.mark.parametrize("block", [1, 700, 10**6])
def test_scores_do_not_depend_on_the_block_size(block, monkeypatch):
    query, gallery, labels = golden_case()
    dist = build_dist(query, gallery, "cosine")
    whole = evaluate_rank(dist, *labels)
    monkeypatch.setattr(compute_dist, "BLOCK_ELEMENTS", block)
    for distances in (dist, DistanceRows(query, gallery, metric="cosine")):
        blocked = evaluate_rank(distances, *labels)
        np.testing.assert_array_equal(blocked.cmc, whole.cmc)
        np.testing.assert_array_equal(blocked.all_ap, whole.all_ap)


@pytest.mark.parametrize("most_counted", [0, 10**6])
@pytest.mark.parametrize("levels", [1, 5, 10**7])
def test_precision_is_that_of_a_stable_sort_bit_by_bit(most_counted, levels, monkeypatch):
    monkeypatch.setattr(positions, "MOST_COUNTED", most_counted)
    _, _, labels = golden_case()
    q_pids, g_pids, q_camids, g_camids = labels
    dist = np.random.RandomState(levels % 91).randint(0, levels, (40, 300)).astype(np.float32)
    result = evaluate_rank(dist, *labels)
    for query, ap, inp in zip(result.query_indices, result.all_ap, result.all_inp):
        order = np.argsort(dist[query], kind="stable")
        is_right = g_pids[order] == q_pids[query]
        is_right = is_right[~(is_right & (g_camids[order] == q_camids[query]))]
        precision = is_right.cumsum() / np.arange(1, len(is_right) + 1)
        assert ap == precision[is_right].mean()
        assert inp == precision[is_right][-1]


def test_single_shot_galleries_average_to_their_expectation():
    # The right image, at 0.5, against another identity with one image nearer and two farther.
    dist = np.array([[0.5, 0.4, 0.6, 0.7, 0.1]])
    labels = ([1], [1, 2, 2, 2, 1], [0], [1, 1, 1, 1, 0])
    results = [
        evaluate_rank(dist, *labels, max_rank=3, use_metric_cuhk03=True, seed=seed)
        for seed in range(200)
    ]
    cmc = np.mean([result.cmc for result in results], axis=0)
    # Two thousand draws of a chance of 2/3: four standard deviations are 0.042.
    assert cmc[0] == pytest.approx(2 / 3, abs=0.042)
    assert cmc[1:].tolist() == [1, 1]
    assert {result.mean_ap for result in results} == {1 / 2}


def test_single_shot_galleries_never_contain_junk_images():
    dist = np.array([[0.9, 0.1]])
    result = evaluate_rank(dist, [1], [1, 1], [0], [1, 0], max_rank=2, use_metric_cuhk03=True)
    assert result.cmc.tolist() == [1, 1]


def test_galleries_of_a_query_do_not_depend_on_the_number_of_queries():
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = golden_case()
    dist = build_dist(query, gallery, "cosine")

    def cmc(count):
        sides = (q_pids[:count], g_pids, q_camids[:count], g_camids)
        result = evaluate_rank(dist[:count], *sides, use_metric_cuhk03=True)
        return result.cmc * result.num_valid

    per_query = np.diff([np.zeros(50), *(cmc(count) for count in range(1, 6))], axis=0)
    # Each curve is one of ten galleries, in tenths.
    np.testing.assert_allclose(10 * per_query, np.round(10 * per_query), atol=1e-9)
    assert ((per_query >= -1e-9) & (per_query <= 1 + 1e-9)).all()


def test_arguments_are_not_changed():
    _, _, labels = small_case()
    dist = np.random.RandomState(0).rand(12, 60)
    before = dist.copy()
    evaluate_rank(dist, *labels)
    np.testing.assert_array_equal(dist, before)


def test_no_common_identity_is_diagnosed():
    with pytest.raises(ValueError) as error:
        evaluate_rank(np.ones((2, 3)), [1, 2], [3, 4, 5], [0, 1], [0, 1, 2])
    assert (
        "No query has a match in the gallery: 2 queries, 3 gallery images, 0 identities in both, "
        "2 query cameras, 3 gallery cameras."
    ) in str(error.value)
    assert "no identity in common" in str(error.value)


def test_a_single_camera_is_diagnosed():
    with pytest.raises(ValueError, match="1 identities in both.*all images are from one camera"):
        evaluate_rank(np.ones((1, 2)), [1], [1, 2], [5], [5, 5])


def test_identities_with_one_camera_each_are_diagnosed():
    with pytest.raises(ValueError, match="only in the query's own camera"):
        evaluate_rank(np.ones((1, 2)), [1], [1, 2], [5], [5, 6])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty_queries_or_gallery_are_an_error(shape):
    queries, gallery = [0] * shape[0], [0] * shape[1]
    with pytest.raises(ValueError, match=f"{shape[0]} queries and {shape[1]} gallery images"):
        evaluate_rank(np.ones(shape), queries, gallery, queries, gallery)


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="2 x 3 distances, but query pids 2.*gallery camids 4"):
        evaluate_rank(np.ones((2, 3)), [0, 1], [0, 1, 2], [0, 0], [1, 1, 1, 1])


def test_distances_that_are_not_numbers_are_refused():
    dist = np.array([[0.1, 0.2], [0.1, np.nan]])
    with pytest.raises(ValueError, match=r"Distances of query 1 are not numbers \(NaN\)"):
        evaluate_rank(dist, [1, 1], [1, 1], [0, 0], [1, 1])


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="TEST.SINGLE_GALLERY_SHOT.SEED is -1; it must be at lea"):
        evaluate_rank(np.ones((1, 1)), [1], [1], [0], [1], use_metric_cuhk03=True, seed=-1)


def test_labels_of_different_types_are_compared_exactly():
    # As floating-point numbers, which NumPy would compare, both are the same.
    q_pids, g_pids = np.array([2**62 + 1], np.int64), np.array([2**62, 2**62 + 1], np.uint64)
    cameras = (np.array([0]), np.array([1, 1]))
    result = evaluate_rank(np.array([[0.1, 0.2]], np.float32), q_pids, g_pids, *cameras)
    assert result.cmc[:2].tolist() == [0, 1]
    with pytest.raises(ValueError, match="gallery pid: the number 9223372036854775808 does not"):
        evaluate_rank(np.ones((1, 1), np.float32), [1], np.array([2**63], np.uint64), [0], [1])
