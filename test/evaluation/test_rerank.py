import numpy as np
import pytest

from fastreid.evaluation import jaccard_distance, re_ranking
from fastreid.utils.compute_dist import build_dist, normalize_features
from test.evaluation.retrieval_case import assert_as_golden, golden_case, small_case


def naive_jaccard(features, num_query, k1, k2):
    """Zhong et al. with sets and a dense matrix."""
    count = len(features)
    dist = ((features[:, None] - features[None]).astype(np.float64) ** 2).sum(-1)
    rank = np.argsort(dist, axis=1, kind="stable")[:, :k1]

    def reciprocal(image, k):
        return {j for j in rank[image, :k] if image in rank[j, :k]}

    vectors = np.zeros((count, count))
    for image in range(count):
        members = reciprocal(image, k1)
        grown = set(members)
        for member in members:
            half = reciprocal(member, int(np.around(k1 / 2)) + 1)
            if 3 * len(half & members) > 2 * len(half):
                grown |= half
        columns = sorted(grown)
        weights = np.exp(-dist[image, columns])
        vectors[image, columns] = weights / weights.sum()
    if k2 > 1:
        vectors = np.stack([vectors[rank[image, :k2]].mean(0) for image in range(count)])
    smaller = np.minimum(vectors[:num_query, None], vectors[None, num_query:]).sum(-1)
    larger = np.maximum(vectors[:num_query, None], vectors[None, num_query:]).sum(-1)
    return 1 - smaller / larger


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (10, 1)])
def test_distances_are_those_of_the_original(k1, k2):
    query, gallery, _ = golden_case()
    query, gallery = normalize_features(query), normalize_features(gallery)
    assert_as_golden(jaccard_distance(query, gallery, k1=k1, k2=k2), f"jaccard.{k1}.{k2}")


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (10, 1), (7, 3), (1, 1), (200, 5)])
def test_distances_agree_with_the_definition(k1, k2):
    query, gallery, _ = small_case()
    query, gallery = query / 4, gallery / 4
    got = jaccard_distance(query, gallery, k1=k1, k2=k2)
    want = naive_jaccard(np.concatenate([query, gallery]), len(query), k1, k2)
    assert got.dtype == np.float32
    # Float32 features and weights against float64.
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_images_far_from_everything_do_not_overflow():
    query, gallery, _ = small_case()
    dist = jaccard_distance(query * 1e4, gallery * 1e4)
    assert np.isfinite(dist).all()
    assert dist.min() >= 0
    assert dist.max() <= 1


def test_more_copies_of_an_image_than_neighbours_are_accepted():
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
