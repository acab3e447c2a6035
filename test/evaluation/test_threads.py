"""Scores, distances and features have the same bits on any number of threads."""

import numpy as np
import pytest

from fastreid.evaluation import JaccardRows, RerankedRows, evaluate_rank
from fastreid.evaluation.query_expansion import expand_features
from fastreid.utils.compute_dist import DistanceRows, build_dist, normalize_features
from fastreid.utils.processor import threads

QUERIES, IMAGES = 90, 1500


def case():
    """Features, some of which are equal or near, and the labels of queries and gallery."""
    rng = np.random.default_rng(4)
    pids, cameras = rng.integers(0, 40, IMAGES), rng.integers(0, 4, IMAGES)
    centres = rng.standard_normal((40, 64), np.float32)
    features = centres[pids] + 1.5 * rng.standard_normal((IMAGES, 64), np.float32)
    features[5], features[7:20] = features[400], 1.01 * features[200]
    cut = QUERIES
    return features, (pids[:cut], pids[cut:], cameras[:cut], cameras[cut:])


def everything(features, labels):
    """All results of an evaluation, as bytes."""
    units, found = normalize_features(features), []
    for metric in ("cosine", "euclidean"):
        rows = DistanceRows(features[:QUERIES], features[QUERIES:], metric=metric)
        jaccard = JaccardRows(units, QUERIES, k1=6, k2=3)
        found.append(build_dist(features[:QUERIES], features, metric))
        for distances in (rows, RerankedRows(rows, jaccard)):
            for single_shot in (False, True):
                result = evaluate_rank(distances, *labels, use_metric_cuhk03=single_shot)
                found += [result.cmc, result.all_ap, result.all_inp, result.query_indices]
        found.append(jaccard[3:70])
    expanded = expand_features(features, qe_times=2, qe_k=4, alpha=3.0)
    return [array.tobytes() for array in (units, expanded, *found)]


@pytest.mark.parametrize("cores", [2, 5, 64])
def test_the_bits_of_all_results_do_not_depend_on_the_threads(cores, monkeypatch):
    monkeypatch.setattr(threads, "num_cores", lambda: 1)
    expected = everything(*case())
    monkeypatch.setattr(threads, "num_cores", lambda: cores)
    assert everything(*case()) == expected


def test_the_first_query_with_a_distance_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setattr(threads, "num_cores", lambda: 8)
    dist = np.ones((200, 5), np.float32)
    dist[[70, 71, 190], 3] = np.nan
    labels = (np.zeros(200, int), np.zeros(5, int), np.zeros(200, int), np.ones(5, int))
    with pytest.raises(ValueError, match=r"Distances of query 70 are not numbers \(NaN\)"):
        evaluate_rank(dist, *labels)


@pytest.mark.parametrize("most_sorted", [0, 1])
@pytest.mark.parametrize("levels", [1, 7, 10**6])
def test_positions_by_sorting_the_nearest_are_those_by_counting(most_sorted, levels, monkeypatch):
    from fastreid.evaluation import positions

    monkeypatch.setattr(positions, "MOST_SORTED", most_sorted)
    rng = np.random.default_rng(levels)
    for _ in range(20):
        dist = rng.integers(0, levels, 200).astype(np.float32)
        chosen = rng.permutation(200)
        matches, junk = np.sort(chosen[:9]), np.sort(chosen[9:15])
        order = np.argsort(dist, kind="stable")
        kept = order[~np.isin(order, junk)]
        expected = np.flatnonzero(np.isin(kept, matches))
        np.testing.assert_array_equal(positions.match_positions(dist, matches, junk), expected)
