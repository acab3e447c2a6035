"""Select the data for the plots of one evaluation: scores, and queries with ranked images."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows
from fastreid.utils.compute_dist.nearest import nearest_indices
from fastreid.utils.visualizer import RankedQuery, RankingReport

from ..features.feature_table import ImageFeatures
from ..rank import RankResult
from ..rerank import RerankedRows
from ..retrieval import RetrievalLabels
from .ranked_images import image_at

REPORT_QUERIES = 8
REPORT_IMAGES = 10


def make_report(
    ranking: RankResult,
    distances: np.ndarray | DistanceRows | RerankedRows,
    query: ImageFeatures,
    gallery: ImageFeatures,
) -> RankingReport:
    """Select queries from the best to the worst, each with its nearest gallery images.

    Args:
        ranking: scores of the queries.
        distances: (Q, G).
        query: Q images.
        gallery: G images.

    Returns:
        The scores and the selected queries.
    """
    labels = RetrievalLabels(query.pids, gallery.pids, query.camids, gallery.camids)
    by_ap = np.argsort(-ranking.all_ap, kind="stable")
    picks = by_ap[_spread(len(by_ap), REPORT_QUERIES)]
    rows = []
    for pick in picks:
        index = ranking.query_indices[pick]
        _, is_kept = labels.relevance(index)
        dist = np.where(is_kept, distances[index : index + 1][0], np.inf)
        nearest = nearest_indices(dist[np.newaxis], min(REPORT_IMAGES, int(is_kept.sum())))[0]
        images = tuple(image_at(gallery, place, dist[place]) for place in nearest)
        own = image_at(query, index, 0.0)
        rows.append(RankedQuery(own, float(ranking.all_ap[pick]), images))
    return RankingReport(
        cmc=ranking.cmc,
        all_ap=ranking.all_ap,
        num_queries=ranking.num_queries,
        queries=tuple(rows),
    )


def _spread(length: int, count: int) -> np.ndarray:
    """Return at most `count` evenly spaced indices from 0 to length - 1, including both ends."""
    return np.unique(np.linspace(0, length - 1, count).round().astype(int))
