import numpy as np
import pytest

from fastreid.evaluation import RerankedRows, evaluate_roc, rate_at, roc_curve
from fastreid.evaluation.retrieval import RetrievalLabels
from fastreid.evaluation.roc_histogram import RocHistogram
from fastreid.utils.compute_dist import DistanceRows, build_dist
from test.evaluation.retrieval_case import METRICS, golden_case

TARGETS = (0, 1e-3, 1e-2, 0.05, 0.3, 0.9, 1)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("num_bins", [7, 100, 2**20])
def test_exact_rates_lie_within_the_bound(metric, num_bins):
    query, gallery, labels = golden_case()
    exact = roc_curve(*evaluate_roc(build_dist(query, gallery, metric), *labels))
    rows = DistanceRows(query, gallery, metric=metric)
    histogram = RocHistogram(rows, RetrievalLabels(*labels), num_bins=num_bins)
    for target in TARGETS:
        value, bound = histogram.rate_at(target)
        assert abs(value - rate_at(*exact, target)) <= bound + 1e-12


def test_with_fine_bins_the_bound_is_small():
    query, gallery, labels = golden_case()
    histogram = RocHistogram(DistanceRows(query, gallery), RetrievalLabels(*labels))
    assert max(histogram.rate_at(target)[1] for target in (1e-2, 0.05, 0.3)) < 0.02


def test_every_scored_pair_is_counted_once():
    distances = np.array([[0.0, 0.3, 0.6, 1.0]])
    # Junk, right, wrong, wrong.
    labels = RetrievalLabels([1], [1, 1, 2, 3], [0], [0, 1, 0, 1])
    histogram = RocHistogram(distances, labels, num_bins=4)
    assert histogram.true_rate.tolist() == [0, 0.5, 1, 1, 1]
    assert histogram.false_rate.tolist() == [0, 0, 0, 1, 1]


def test_reranked_distances_do_not_exceed_their_bound():
    query, gallery, labels = golden_case()
    jaccard = np.random.RandomState(0).rand(40, 300).astype(np.float32)
    mixed = RerankedRows(DistanceRows(query, gallery), jaccard)
    assert mixed[:].max() <= mixed.largest
    assert RocHistogram(mixed, RetrievalLabels(*labels)).true_rate[-1] == 1
