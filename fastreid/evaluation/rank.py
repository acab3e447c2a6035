"""CMC, average precision and inverse negative penalty of a ranking (Market-1501 protocol)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, row_blocks

from .retrieval import RetrievalLabels


class RankResult(NamedTuple):
    """Scores of the queries that have a match.

    Attributes:
        cmc: (max_rank,), share of these queries with a match among the first 1, 2, ... images.
        all_ap: (V,), average precision of each.
        all_inp: (V,), inverse negative penalty of each (Ye et al., AGW, 2021).
        query_indices: (V,), which queries these are, ascending.
        num_queries: all queries, those without a match included.
    """

    cmc: np.ndarray
    all_ap: np.ndarray
    all_inp: np.ndarray
    query_indices: np.ndarray
    num_queries: int

    @property
    def num_valid(self) -> int:
        """Queries with a match."""
        return len(self.query_indices)

    @property
    def mean_ap(self) -> float:
        """The mAP, in [0, 1]."""
        return float(self.all_ap.mean())

    @property
    def mean_inp(self) -> float:
        """The mINP, in [0, 1]."""
        return float(self.all_inp.mean())


def evaluate_rank(
    distmat: np.ndarray | DistanceRows,
    q_pids: np.ndarray,
    g_pids: np.ndarray,
    q_camids: np.ndarray,
    g_camids: np.ndarray,
    *,
    max_rank: int = 50,
) -> RankResult:
    """Rank the gallery for every query and score the rankings (fast-reid's ``evaluate_rank``).

    Gallery images of the query's identity from the query's camera are taken out. Queries for which
    nothing right remains are left out. Equal distances are ordered by gallery index.

    Args:
        distmat: (Q, G); ``DistanceRows`` keeps only a block of rows in memory.
        q_pids: (Q,) identity of each query.
        g_pids: (G,) identity of each gallery image.
        q_camids: (Q,) camera of each query.
        g_camids: (G,) camera of each gallery image.
        max_rank: length of the CMC curve.

    Returns:
        The scores.

    Raises:
        ValueError: lengths differ, a side is empty, a distance is not a number, or no query has a
            match; the message says what is likely wrong.
    """
    labels = RetrievalLabels(q_pids, g_pids, q_camids, g_camids)
    labels.check(distmat.shape)
    scores, query_indices = [], []
    for rows in row_blocks(*distmat.shape):
        for query, dist in enumerate(distmat[rows], start=rows.start):
            _check_distances(dist, query)
            positions = match_positions(dist, *labels.relevance(query))
            if len(positions):
                scores.append(_score(positions))
                query_indices.append(query)
    if not scores:
        raise ValueError(labels.diagnosis())
    first, all_ap, all_inp = np.array(scores).T
    cmc = (first[:, np.newaxis] <= np.arange(max_rank)).mean(0)
    return RankResult(cmc, all_ap, all_inp, np.array(query_indices), labels.num_queries)


def match_positions(dist: np.ndarray, is_match: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
    """Find where the right images stand in the ranking, without sorting all of it stably.

    Args:
        dist: (G,) distances of one query.
        is_match: (G,) bool, same identity.
        is_kept: (G,) bool, False for images that are taken out.

    Returns:
        (M,) positions of the kept matches, from 0, ascending.
    """
    dist, is_match = dist[is_kept], is_match[is_kept]
    matches = np.flatnonzero(is_match)
    if not len(matches):
        return matches
    ordered, own = np.sort(dist), dist[matches]
    positions = np.searchsorted(ordered, own, side="left")
    num_equal = np.searchsorted(ordered, own, side="right") - positions
    for tied in np.flatnonzero(num_equal > 1):
        positions[tied] += np.count_nonzero(dist[: matches[tied]] == own[tied])
    return np.sort(positions)


def _score(positions: np.ndarray) -> tuple[int, float, float]:
    """First position, average precision and inverse negative penalty of sorted positions."""
    precision = np.arange(1, len(positions) + 1) / (positions + 1)
    return positions[0], precision.mean(), precision[-1]


def _check_distances(dist: np.ndarray, query: int) -> None:
    if np.isnan(dist).any():
        raise ValueError(
            f"Distances of query {query} are not numbers (NaN): its features or the gallery's are "
            "broken, look at the model's output."
        )
