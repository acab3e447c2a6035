import numpy as np
import pytest

from fastreid.evaluation import aqe
from test.evaluation.retrieval_case import assert_as_golden, golden_case, small_case


def naive_expansion(features, k, alpha):
    norms = np.linalg.norm(features, axis=1)
    expanded = []
    for feature, norm in zip(features, norms):
        similarity = features @ feature / (norms * norm)
        nearest = np.argsort(-similarity)[:k]
        expanded.append(sum(similarity[n] ** alpha * features[n] for n in nearest) / len(nearest))
    return np.array(expanded)


def test_features_are_those_of_the_original():
    query, gallery, _ = golden_case()
    new_query, new_gallery = aqe(query, gallery, qe_times=1, qe_k=5, alpha=3.0)
    assert_as_golden(new_query, "aqe.query")
    assert_as_golden(new_gallery, "aqe.gallery")


@pytest.mark.parametrize(("times", "k"), [(0, 5), (1, 1), (1, 5), (3, 4), (1, 1000)])
def test_features_agree_with_the_definition(times, k):
    query, gallery, _ = small_case()
    want = np.concatenate([query, gallery]).astype(np.float64)
    for _ in range(times):
        want = naive_expansion(want, k, 3)
    got = np.concatenate(aqe(query, gallery, qe_times=times, qe_k=k, alpha=3.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


def test_negative_similarities_count_as_nothing_under_a_fractional_exponent():
    query, gallery = np.array([[1.0, 0.0]]), np.array([[-1.0, 0.0]])
    new_query, new_gallery = aqe(query, gallery, qe_k=2, alpha=2.5)
    np.testing.assert_allclose(new_query, [[0.5, 0]])
    np.testing.assert_allclose(new_gallery, [[-0.5, 0]])


def test_no_neighbours_are_refused():
    with pytest.raises(ValueError, match=r"TEST.AQE.QE_K \(0\) must be at least 1"):
        aqe(np.ones((1, 2)), np.ones((1, 2)), qe_k=0)
