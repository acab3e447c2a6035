"""CMC, average precision and inverse negative penalty of rankings.

The scores depend only on the positions of the matches, see ``positions``.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from fastreid.utils.compute_dist import DeviceDistances, DistanceRows, row_blocks
from fastreid.utils.processor.threads import row_pieces, run_on_threads

from .device import match_positions_on_device
from .positions import match_positions
from .rerank import RerankedRows
from .retrieval import RetrievalLabels
from .single_shot import SingleShot

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
    scorer = _Scorer(labels, max_rank, single_shot)
    scores: list[_Scores | None] = []
    for rows in row_blocks(*distmat.shape):
        # The galleries of single-shot curves need the distances themselves.
        if isinstance(distmat, DistanceRows) and distmat.on_device and single_shot is None:
            scores += scorer.score_on_device(distmat.device_rows(rows), rows)
        else:
            scores += scorer.score(distmat[rows], rows.start)
    valid = np.flatnonzero([score is not None for score in scores])
    if not len(valid):
        raise ValueError(labels.explain_no_match())
    cmcs, all_ap, all_inp = zip(*(scores[query] for query in valid))
    cmc = np.sum(cmcs, axis=0, dtype=np.float64) / len(valid)
    return RankResult(cmc, np.array(all_ap), np.array(all_inp), valid, labels.num_queries)


class _Scorer:
    """Scores the queries of a block of distances: None for a query without a match.

    Args:
        labels: identities and cameras.
        max_rank: length of the CMC curve.
        single_shot: makes the CMC curve if it is one of single-shot galleries.
    """

    def __init__(
        self, labels: RetrievalLabels, max_rank: int, single_shot: SingleShot | None
    ) -> None:
        self._labels = labels
        self._max_rank = max_rank
        self._single_shot = single_shot

    def score(self, block: np.ndarray, first: int) -> list[_Scores | None]:
        """Score distances (R, G) on several threads; `first` is the first query."""

        def score_some(rows: slice) -> list[_Scores | None]:
            queries = enumerate(block[rows], first + rows.start)
            return [self._score_query(dist, query) for query, dist in queries]

        found = run_on_threads(score_some, row_pieces(slice(0, len(block)), QUERIES_PER_TASK))
        return list(itertools.chain.from_iterable(found))

    def score_on_device(self, block: DeviceDistances, rows: slice) -> list[_Scores | None]:
        """Score distances (R, G) of these queries, which are kept on the device."""
        invalid = block.invalid_rows()
        if len(invalid):
            raise ValueError(_explain_nan(rows.start + invalid[0]))
        matches, junk = zip(*map(self._labels.matches, range(rows.start, rows.stop)))
        return [
            self._scores(positions) if len(positions) else None
            for positions in match_positions_on_device(block, matches, junk)
        ]

    def _score_query(self, dist: np.ndarray, query: int) -> _Scores | None:
        if np.isnan(dist.min()):
            raise ValueError(_explain_nan(query))
        matches, junk = self._labels.matches(query)
        if not len(matches):
            return None
        positions = match_positions(dist, matches, junk)
        if self._single_shot is None:
            return self._scores(positions)
        cmc = self._single_shot.cmc(dist, query, self._max_rank)
        return cmc, *self._scores(positions)[1:]

    def _scores(self, positions: np.ndarray) -> _Scores:
        precision = np.arange(1, len(positions) + 1) / (positions + 1)
        cmc = np.arange(self._max_rank) >= positions[0]
        return cmc, precision.mean(), precision[-1]


def _explain_nan(query: int) -> str:
    return (
        f"Distances of query {query} are not numbers (NaN): the features of the query or the "
        "gallery are invalid; check the model's output."
    )
