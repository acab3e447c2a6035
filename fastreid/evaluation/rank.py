"""CMC, average precision and inverse negative penalty of rankings, without sorting the gallery.

The scores depend only on the positions of the matches. A match's position is the number of gallery
images with a smaller distance. Counting them is exact and many times faster than sorting.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, row_blocks
from fastreid.utils.processor.threads import row_pieces, run_on_threads

from .rerank import RerankedRows
from .retrieval import RetrievalLabels
from .single_shot import SingleShot

# With more matches than this, sorting all distances is faster than counting for each match.
MOST_COUNTED = 200
# If this fraction of the gallery, or less, is as near as the last match, that part is sorted.
MOST_SORTED = 1 / 16
# Queries that a thread scores in one task.
QUERIES_PER_TASK = 16

# CMC curve, average precision and inverse negative penalty of a query.
_Scores = tuple[np.ndarray, float, float]


class RankResult(NamedTuple):
    """Scores of the queries that have a match.

    Attributes:
        cmc: (max_rank,), fraction of these queries with a match in the top 1, 2, ... images.
        all_ap: (V,), average precision of each query.
        all_inp: (V,), inverse negative penalty of each query (Ye et al., AGW, 2021).
        query_indices: (V,), indices of these queries, ascending.
        num_queries: number of all queries, including those without a match.
    """

    cmc: np.ndarray
    all_ap: np.ndarray
    all_inp: np.ndarray
    query_indices: np.ndarray
    num_queries: int

    @property
    def num_valid(self) -> int:
        """Number of queries with a match."""
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
    distmat: np.ndarray | DistanceRows | RerankedRows,
    q_pids: np.ndarray,
    g_pids: np.ndarray,
    q_camids: np.ndarray,
    g_camids: np.ndarray,
    *,
    max_rank: int = 50,
    use_metric_cuhk03: bool = False,
    seed: int = 0,
) -> RankResult:
    """Rank the gallery for every query and score the rankings (fast-reid's ``evaluate_rank``).

    Gallery images with the identity and the camera of the query are ignored. Queries without any
    other image of their identity are excluded. Equal distances are ordered by gallery index. The
    average precision is NumPy's float64 mean of the precisions at the matches, in ranking order.

    Args:
        distmat: (Q, G) distances. ``DistanceRows`` are computed in blocks of rows.
        q_pids: (Q,) identity of each query.
        g_pids: (G,) identity of each gallery image.
        q_camids: (Q,) camera of each query.
        g_camids: (G,) camera of each gallery image.
        max_rank: length of the CMC curve.
        use_metric_cuhk03: whether to compute the CMC curve on random galleries with one image per
            identity, as in CUHK03's classic protocol; the other scores do not change.
        seed: seed of these galleries.

    Returns:
        The scores.

    Raises:
        ValueError: lengths differ, queries or gallery are empty, a distance is NaN, or no query has
            a match; the message names the likely cause.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import evaluate_rank
        >>> distances = np.array([[0.1, 0.2, 0.3, 0.4]])
        >>> result = evaluate_rank(
        ...     distances,
        ...     q_pids=np.array([7]),
        ...     g_pids=np.array([7, 8, 7, 7]),
        ...     q_camids=np.array([1]),
        ...     g_camids=np.array([1, 2, 2, 3]),  # the first image has the query's camera: ignored
        ...     max_rank=3,
        ... )
        >>> result.cmc.tolist(), round(result.mean_ap, 4), round(result.mean_inp, 4)
        ([0.0, 1.0, 1.0], 0.5833, 0.6667)
    """
    labels = RetrievalLabels(q_pids, g_pids, q_camids, g_camids)
    labels.check(distmat.shape)
    single_shot = SingleShot(labels, seed=seed) if use_metric_cuhk03 else None
    score = partial(_score_query, labels, max_rank=max_rank, single_shot=single_shot)
    scores = []
    for rows in row_blocks(*distmat.shape):
        scores += _on_threads(score, distmat[rows], rows.start)
    valid = np.flatnonzero([score is not None for score in scores])
    if not len(valid):
        raise ValueError(labels.explain_no_match())
    cmcs, all_ap, all_inp = zip(*(scores[query] for query in valid))
    cmc = np.sum(cmcs, axis=0, dtype=np.float64) / len(valid)
    return RankResult(cmc, np.array(all_ap), np.array(all_inp), valid, labels.num_queries)


def _on_threads(
    score: Callable[[np.ndarray, int], _Scores | None], block: np.ndarray, first: int
) -> list[_Scores | None]:
    """Score the queries of a block of distances, of which `first` is the first."""

    def score_some(rows: slice) -> list[_Scores | None]:
        return [score(dist, query) for query, dist in enumerate(block[rows], first + rows.start)]

    found = run_on_threads(score_some, row_pieces(slice(0, len(block)), QUERIES_PER_TASK))
    return list(itertools.chain.from_iterable(found))


def _score_query(
    labels: RetrievalLabels,
    dist: np.ndarray,
    query: int,
    *,
    max_rank: int,
    single_shot: SingleShot | None,
) -> _Scores | None:
    """Return CMC, average precision and inverse negative penalty; None without a match."""
    if np.isnan(dist.min()):
        raise ValueError(
            f"Distances of query {query} are not numbers (NaN): the features of the query or the "
            "gallery are invalid; check the model's output."
        )
    matches, junk = labels.matches(query)
    if not len(matches):
        return None
    positions = match_positions(dist, matches, junk)
    precision = np.arange(1, len(positions) + 1) / (positions + 1)
    if single_shot is None:
        cmc = np.arange(max_rank) >= positions[0]
    else:
        cmc = single_shot.cmc(dist, query, max_rank)
    return cmc, precision.mean(), precision[-1]


def match_positions(dist: np.ndarray, matches: np.ndarray, junk: np.ndarray) -> np.ndarray:
    """Find the positions of the matches in a ranking by a stable sort.

    Args:
        dist: (G,) distances of one query.
        matches: (M,) gallery indices of the matches, ascending.
        junk: (J,) gallery indices of the ignored images.

    Returns:
        (M,) positions, from 0, ascending.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation.rank import match_positions
        >>> dist = np.array([0.5, 0.1, 0.3, 0.2])
        >>> match_positions(dist, matches=np.array([0, 2]), junk=np.array([1])).tolist()
        [1, 2]
    """
    own = dist[matches]
    near = dist <= own.max()
    if np.count_nonzero(near) <= MOST_SORTED * len(dist):
        positions = _positions_by_sorting(dist[near], dist, matches)
    elif len(matches) > MOST_COUNTED:
        positions = _positions_by_sorting(dist, dist, matches)
    else:
        positions = np.array([_position(dist, match) for match in matches])
    own, out = own[:, np.newaxis], dist[junk]
    earlier = (out == own) & (junk < matches[:, np.newaxis])
    return np.sort(positions - np.count_nonzero((out < own) | earlier, axis=1))


def _position(dist: np.ndarray, match: int) -> int:
    own = dist[match]
    return np.count_nonzero(dist[:match] <= own) + np.count_nonzero(dist[match + 1 :] < own)


def _positions_by_sorting(
    candidates: np.ndarray, dist: np.ndarray, matches: np.ndarray
) -> np.ndarray:
    """Find positions by sorting the distances that are not above those of the matches."""
    ordered, own = np.sort(candidates), dist[matches]
    positions = np.searchsorted(ordered, own, side="left")
    num_equal = np.searchsorted(ordered, own, side="right") - positions
    for tied in np.flatnonzero(num_equal > 1):
        positions[tied] += np.count_nonzero(dist[: matches[tied]] == own[tied])
    return positions
