import numpy as np

from fastreid.evaluation import rate_at, roc_curve


def test_the_curve_matches_a_hand_computed_one():
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
