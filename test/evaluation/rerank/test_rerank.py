import numpy as np
import pytest

from fastreid.evaluation import JaccardRows, RerankedRows, jaccard_distance, re_ranking
from fastreid.utils.compute_dist import build_dist
from test.evaluation.retrieval_case import small_case


def test_images_far_from_everything_do_not_overflow():
    query, gallery, _ = small_case()
    dist = jaccard_distance(query * 1e4, gallery * 1e4)
    assert np.isfinite(dist).all()
    assert dist.min() >= 0
    assert dist.max() <= 1


def test_more_copies_of_an_image_than_neighbours_are_allowed():
    dist = jaccard_distance(np.ones((3, 4)), np.ones((10, 4)), k1=4, k2=2)
    assert np.isfinite(dist).all()


def test_re_ranking_is_a_weighted_sum():
    query, gallery, _ = small_case()
    dist, jaccard = build_dist(query, gallery, "cosine"), np.random.RandomState(0).rand(12, 60)
    got = re_ranking(dist, jaccard, lambda_value=0.3)
    np.testing.assert_allclose(got, 0.7 * jaccard + 0.3 * dist, rtol=1e-6)


@pytest.mark.parametrize(("k1", "k2"), [(5, 6), (5, 0), (0, 0)])
def test_impossible_numbers_of_neighbours_are_refused(k1, k2):
    with pytest.raises(ValueError, match=f"1 <= K2 <= K1, but K1 is {k1} and K2 is {k2}"):
        jaccard_distance(np.ones((2, 3)), np.ones((2, 3)), k1=k1, k2=k2)


def test_rows_equal_those_of_the_full_matrix():
    query, gallery, _ = small_case()
    features = np.concatenate([query, gallery]).astype(np.float32)
    whole = jaccard_distance(query, gallery)
    rows = JaccardRows(features, len(query))
    assert (rows.shape, len(rows)) == ((12, 60), 12)
    np.testing.assert_array_equal(rows[3:7], whole[3:7])
    np.testing.assert_array_equal(rows[np.array([5, 2])], whole[[5, 2]])
    mixed = RerankedRows(build_dist(query, gallery, "cosine"), rows, lambda_value=0.2)
    assert (mixed.shape, len(mixed)) == ((12, 60), 12)
    np.testing.assert_array_equal(mixed[4:6], mixed[:][4:6])


def test_a_weight_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match="TEST.RERANK.LAMBDA is 1.5; it must be from 0 to 1"):
        re_ranking(np.ones((1, 1)), np.ones((1, 1)), lambda_value=1.5)
