"""The CMC curve on single-shot galleries, CUHK03's classic protocol (Li et al., CVPR 2014)."""

from __future__ import annotations

import numpy as np

from .retrieval import RetrievalLabels

# Number of random galleries per query, as in fast-reid.
NUM_GALLERIES = 10


class SingleShot:
    """Draws random galleries with one image per identity.

    The galleries of a query depend only on the seed and the query's index.

    Args:
        labels: labels of queries and gallery.
        seed: seed of the galleries, at least 0.

    Raises:
        ValueError: the seed is negative.
    """

    def __init__(self, labels: RetrievalLabels, *, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"TEST.SINGLE_GALLERY_SHOT.SEED is {seed}; it must be at least 0.")
        self._labels = labels
        self._seed = seed
        self._by_pid = np.argsort(labels.g_pids, kind="stable")
        self._pids, self._starts, self._counts = np.unique(
            labels.g_pids[self._by_pid], return_index=True, return_counts=True
        )

    def cmc(self, dist: np.ndarray, query: int, max_rank: int) -> np.ndarray:
        """Average the CMC curves of one query over its random galleries.

        Args:
            dist: (G,) distances of the query, which must have a match.
            query: index of the query.
            max_rank: length of the curve.

        Returns:
            (max_rank,) fraction of the galleries whose match is in the top 1, 2, ... images.
        """
        rng = np.random.default_rng([self._seed, query])
        matches, _ = self._labels.matches(query)
        drawn = rng.random((NUM_GALLERIES, len(self._pids)))
        others = self._by_pid[self._starts + (drawn * self._counts).astype(np.int64)]
        place = np.searchsorted(self._pids, self._labels.q_pids[query])
        right = matches[(drawn[:, place] * len(matches)).astype(np.int64)]
        others = np.delete(others, place, axis=1)
        right = right[:, np.newaxis]
        before = (dist[others] < dist[right]) | ((dist[others] == dist[right]) & (others < right))
        positions = np.count_nonzero(before, axis=1)
        return (positions[:, np.newaxis] <= np.arange(max_rank)).mean(axis=0)
