"""Re-rank the results of one query by k-reciprocal neighbours (Zhong et al., CVPR 2017)."""

from __future__ import annotations

import numpy as np

from fastreid.evaluation import JaccardRows, RerankedRows

# How many of the most similar images are re-ranked; their neighbours are looked for among them.
CANDIDATES = 200
# fast-reid's settings, see TEST.RERANK.
_K1, _K2, _LAMBDA = 20, 6, 0.3


def reranked_distances(query: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Mix cosine distances with Jaccard distances of neighbours.

    Args:
        query: (D,), of length 1.
        candidates: (N, D), of length 1.

    Returns:
        (N,) distances, 0.7 * Jaccard + 0.3 * cosine.
    """
    if not len(candidates):
        return np.zeros(0, np.float32)
    features = np.concatenate([query[np.newaxis], candidates]).astype(np.float32, copy=False)
    cosine = 1 - candidates @ query
    jaccard = JaccardRows(features, 1, k1=_K1, k2=_K2)
    return RerankedRows(cosine[np.newaxis], jaccard, lambda_value=_LAMBDA)[slice(0, 1)][0]
