import numpy as np
import pytest

from fastreid.evaluation import aqe


def test_negative_similarities_count_as_nothing_under_a_fractional_exponent():
    query, gallery = np.array([[1.0, 0.0]]), np.array([[-1.0, 0.0]])
    new_query, new_gallery = aqe(query, gallery, qe_k=2, alpha=2.5)
    np.testing.assert_allclose(new_query, [[0.5, 0]])
    np.testing.assert_allclose(new_gallery, [[-0.5, 0]])


def test_no_neighbours_are_refused():
    with pytest.raises(ValueError, match=r"TEST.AQE.QE_K \(0\) must be at least 1"):
        aqe(np.ones((1, 2)), np.ones((1, 2)), qe_k=0)
