import numpy as np
import pytest

from fastreid.evaluation import evaluate_roc, rate_at, roc_curve
from fastreid.utils.compute_dist import build_dist
from test.evaluation.retrieval_case import METRICS, assert_as_golden, golden_case, small_case


@pytest.mark.parametrize("metric", METRICS)
def test_rates_are_those_of_the_original(metric):
    query, gallery, labels = golden_case()
    curve = roc_curve(*evaluate_roc(build_dist(query, gallery, metric), *labels))
    assert_as_golden([rate_at(*curve, rate) for rate in (1e-4, 1e-3, 1e-2)], f"roc.{metric}")


def test_pairs_of_one_identity_in_one_camera_do_not_count():
    _, _, (q_pids, g_pids, q_camids, g_camids) = small_case()
    dist = np.random.RandomState(0).rand(12, 60)
    want = [
        (dist[q, g], q_pids[q] != g_pids[g])
        for q in range(12)
        for g in range(60)
        if q_pids[q] != g_pids[g] or q_camids[q] != g_camids[g]
    ]
    scores, differs = evaluate_roc(dist, q_pids, g_pids, q_camids, g_camids)
    assert list(zip(scores, differs)) == want


@pytest.mark.parametrize("levels", [4, 30, 10**6])
def test_corners_lie_on_the_curve_and_none_is_missing(levels):
    rng = np.random.RandomState(levels % 97)
    labels, scores = rng.rand(80) < 0.6, rng.randint(0, levels, 80).astype(float)
    false_rate, true_rate = roc_curve(scores, labels)
    points = [(0.0, 0.0)]
    for threshold in np.unique(scores)[::-1]:
        taken = scores >= threshold
        points.append(((taken & ~labels).sum() / (~labels).sum(), (taken & labels).mean() * 80))
    points = np.array(points) / [1, labels.sum()]
    corners = np.stack([false_rate, true_rate], axis=1)
    assert all(np.isclose(points, corner, atol=1e-12).all(1).any() for corner in corners)
    # The corners alone give the whole curve back, so none that bends it was dropped.
    area = np.sum(np.diff(points[:, 0]) * (points[1:, 1] + points[:-1, 1])) / 2
    assert np.sum(np.diff(false_rate) * (true_rate[1:] + true_rate[:-1])) / 2 == pytest.approx(area)
    assert tuple(corners[0]) == (0, 0)
    assert tuple(corners[-1]) == (1, 1)


def test_a_curve_worked_out_by_hand():
    false_rate, true_rate = roc_curve(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1, 0, 1, 0]))
    assert false_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 0.5, 1, 1]
    assert rate_at(false_rate, true_rate, 0.9) == 1


def test_one_pair_is_enough():
    false_rate, true_rate = roc_curve(np.array([0.5]), np.array([True]))
    assert (false_rate.tolist(), true_rate.tolist()) == ([0, 0], [0, 1])


def test_points_within_a_straight_stretch_are_dropped():
    # The middle one of three false positives in a row: scikit-learn drops it, which moves rates.
    false_rate, true_rate = roc_curve(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1]))
    assert false_rate.tolist() == [0, 1 / 3, 1, 1]
    assert true_rate.tolist() == [0, 0, 0, 1]
