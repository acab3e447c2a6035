"""Retrieval metrics against their definitions in plain loops, ties and corner cases included."""

import unittest

import numpy as np

from fastreid.evaluation import aqe, evaluate_rank, evaluate_roc, jaccard_distance, roc_curve
from fastreid.utils.compute_dist import build_dist
from test.alignment import metric_definitions as definitions
from test.golden.golden_inputs import ranking_case

MAX_RANK = 15


def small_case(seed=3):
    """12 queries, 60 gallery images: features, then (q_pids, g_pids, q_camids, g_camids)."""
    query, gallery, *labels = ranking_case(12, 60, 8, 3, dim=16, seed=seed)
    return query, gallery, labels


class Distances(unittest.TestCase):
    def test_every_query_has_its_row(self):
        for metric in ("cosine", "euclidean"):
            # Counts at which the original's cosine distance loses its last row, and others.
            for num_query in (1, 29, 57, 58, 113):
                with self.subTest(metric=metric, num_query=num_query):
                    rng = np.random.RandomState(num_query)
                    first, second = rng.randn(num_query, 6), rng.randn(7, 6)
                    got = build_dist(first, second, metric)
                    want = [[definitions.distance(a, b, metric) for b in second] for a in first]
                    self.assertEqual(got.dtype, np.float32)
                    # Float32 against float64.
                    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


class Ranking(unittest.TestCase):
    def assert_as_defined(self, distances, labels, max_rank=MAX_RANK):
        got = evaluate_rank(distances, *labels, max_rank=max_rank)
        cmc, precisions, penalties, valid = definitions.rank(distances, *labels, max_rank)
        np.testing.assert_allclose(got.cmc, cmc, rtol=1e-12)
        np.testing.assert_allclose(got.all_ap, precisions, rtol=1e-12)
        np.testing.assert_allclose(got.all_inp, penalties, rtol=1e-12)
        self.assertEqual(got.query_indices.tolist(), valid)
        return got

    def test_scores_with_many_some_and_no_ties(self):
        for levels in (1, 3, 20, None):
            for seed in range(4):
                with self.subTest(levels=levels, seed=seed):
                    _, _, labels = small_case(seed)
                    rng = np.random.RandomState(seed)
                    if levels is None:
                        distances = rng.rand(12, 60)
                    else:
                        distances = rng.randint(0, levels, (12, 60)) / 7
                    self.assert_as_defined(distances.astype(np.float32), labels)

    def test_of_equal_distances_the_lower_gallery_index_comes_first(self):
        distances = np.zeros((1, 3))
        first = self.assert_as_defined(distances, ([1], [1, 2, 2], [0], [1, 1, 1]))
        self.assertEqual(first.mean_ap, 1)
        last = self.assert_as_defined(distances, ([1], [2, 2, 1], [0], [1, 1, 1]))
        self.assertAlmostEqual(last.mean_ap, 1 / 3)

    def test_queries_without_a_match_are_left_out_and_counted(self):
        distances = np.array([[0.1, 0.2], [0.1, 0.2], [0.2, 0.1]])
        result = self.assert_as_defined(distances, ([1, 9, 2], [1, 2], [0, 0, 0], [1, 1]))
        self.assertEqual(result.query_indices.tolist(), [0, 2])
        self.assertEqual((result.num_valid, result.num_queries), (2, 3))
        self.assertEqual((result.mean_ap, result.mean_inp), (1, 1))


class Rates(unittest.TestCase):
    def test_corners_lie_on_the_curve_and_none_is_missing(self):
        for levels in (4, 30, 10**6):
            with self.subTest(levels=levels):
                rng = np.random.RandomState(levels % 97)
                labels, scores = rng.rand(80) < 0.6, rng.randint(0, levels, 80).astype(float)
                curve = roc_curve(scores, labels)
                points = definitions.rates(scores, labels)
                for corner in np.stack(curve, axis=1):
                    self.assertTrue(np.isclose(points, corner, atol=1e-12).all(1).any())
                # The corners alone give the whole curve back: none that bends it was dropped.
                self.assertAlmostEqual(self.area(*curve), self.area(*points.T))
                self.assertEqual([side[0] for side in curve], [0, 0])
                self.assertEqual([side[-1] for side in curve], [1, 1])

    @staticmethod
    def area(false_rates, true_rates):
        return np.sum(np.diff(false_rates) * (true_rates[1:] + true_rates[:-1])) / 2

    def test_pairs_of_one_identity_in_one_camera_do_not_count(self):
        _, _, (q_pids, g_pids, q_camids, g_camids) = small_case()
        distances = np.random.RandomState(0).rand(12, 60)
        want = [
            (distances[q, g], q_pids[q] != g_pids[g])
            for q in range(12)
            for g in range(60)
            if q_pids[q] != g_pids[g] or q_camids[q] != g_camids[g]
        ]
        scores, differs = evaluate_roc(distances, q_pids, g_pids, q_camids, g_camids)
        self.assertEqual(list(zip(scores, differs)), want)


class NeighbourMethods(unittest.TestCase):
    def test_jaccard_distances(self):
        query, gallery, _ = small_case()
        query, gallery = query / 4, gallery / 4
        everything = np.concatenate([query, gallery])
        for k1, k2 in ((20, 6), (10, 1), (7, 3), (1, 1), (200, 5)):
            with self.subTest(k1=k1, k2=k2):
                got = jaccard_distance(query, gallery, k1=k1, k2=k2)
                want = definitions.jaccard(everything, len(query), k1, k2)
                self.assertEqual(got.dtype, np.float32)
                # Float32 features and weights against float64.
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)

    def test_query_expansion(self):
        query, gallery, _ = small_case()
        for times, k in ((0, 5), (1, 1), (1, 5), (3, 4), (1, 1000)):
            with self.subTest(times=times, k=k):
                want = np.concatenate([query, gallery]).astype(np.float64)
                for _ in range(times):
                    want = definitions.expansion(want, k, 3)
                got = np.concatenate(aqe(query, gallery, qe_times=times, qe_k=k, alpha=3.0))
                np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


if __name__ == "__main__":
    unittest.main()
