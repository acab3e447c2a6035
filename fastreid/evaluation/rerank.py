"""Jaccard distances of k-reciprocal neighbours, for re-ranking (Zhong et al., CVPR 2017)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fastreid.utils.compute_dist import DistanceRows, nearest_indices, row_blocks

# A neighbour's own neighbours join when they share more than this with the set (section 3.2).
SHARED_TO_JOIN = 2 / 3


def jaccard_distance(
    query_features: np.ndarray, gallery_features: np.ndarray, *, k1: int = 20, k2: int = 6
) -> np.ndarray:
    """Compare the k-reciprocal neighbours of queries and gallery images.

    Equal to the query by gallery block of fast-reid's ``compute_jaccard_distance``.

    Args:
        query_features: (Q, D).
        gallery_features: (G, D).
        k1: neighbours that are looked at, the image itself included.
        k2: neighbours over which the sets are averaged; 1 leaves them as they are.

    Returns:
        (Q, G) float32, in [0, 1].

    Raises:
        ValueError: k1 or k2 is below 1, or k2 is above k1.
    """
    if not 1 <= k2 <= k1:
        raise ValueError(f"TEST.RERANK needs 1 <= K2 <= K1, but K1 is {k1} and K2 is {k2}.")
    features = np.concatenate([query_features, gallery_features]).astype(np.float32)
    nearest = nearest_indices(DistanceRows(features, features, metric="euclidean"), k1)
    members = _neighbour_sets(features, nearest, k1)
    if k2 != 1:
        members = _averaged(members, nearest[:, :k2])
    return _jaccard(members, len(query_features))


def re_ranking(
    distmat: np.ndarray | DistanceRows, jaccard: np.ndarray, *, lambda_value: float = 0.3
) -> np.ndarray:
    """Mix the original and the Jaccard distances.

    Args:
        distmat: (Q, G), original distances.
        jaccard: (Q, G), Jaccard distances.
        lambda_value: weight of the original distances, 0 to 1.

    Returns:
        (Q, G) float32: (1 - lambda) * jaccard + lambda * original.
    """
    mixed = np.empty(distmat.shape, np.float32)
    for rows in row_blocks(*distmat.shape):
        mixed[rows] = (1 - lambda_value) * jaccard[rows] + lambda_value * distmat[rows]
    return mixed


def _reciprocal(nearest: np.ndarray, count: int) -> list[np.ndarray]:
    """Of each image: those of its `count` nearest that have it among their own."""
    near = nearest[:, :count]
    is_mutual = (near[near] == np.arange(len(near))[:, np.newaxis, np.newaxis]).any(-1)
    return [row[mutual] for row, mutual in zip(near, is_mutual)]


def _neighbour_sets(features: np.ndarray, nearest: np.ndarray, k1: int) -> sparse.csr_matrix:
    """(N, N) weights of the expanded k-reciprocal neighbours of each image; rows add to 1."""
    whole = _reciprocal(nearest, k1)
    half = _reciprocal(nearest, int(np.around(k1 / 2)) + 1)
    columns, weights = [], []
    for image, neighbours in enumerate(whole):
        joined = [neighbours]
        for neighbour in neighbours:
            candidates = half[neighbour]
            shared = np.isin(candidates, neighbours, assume_unique=True).sum()
            if shared > SHARED_TO_JOIN * len(candidates):
                joined.append(candidates)
        members = np.unique(np.concatenate(joined))
        dist = ((features[members] - features[image]) ** 2).sum(1)
        # Duplicates can push an image out of its own neighbours: then the set may be empty.
        weight = np.exp(dist.min() - dist) if len(members) else dist
        columns.append(members)
        weights.append(weight / max(weight.sum(), 1e-12))
    ends = np.cumsum([0, *map(len, columns)])
    entries = (np.concatenate(weights), np.concatenate(columns), ends)
    return sparse.csr_matrix(entries, shape=(len(features), len(features)))


def _averaged(members: sparse.csr_matrix, nearest: np.ndarray) -> sparse.csr_matrix:
    num_images, count = nearest.shape
    share = np.full(nearest.size, 1 / count, members.dtype)
    ends = np.arange(0, nearest.size + 1, count)
    mean = sparse.csr_matrix((share, nearest.ravel(), ends), shape=(num_images, num_images))
    return (mean @ members).tocsr()


def _jaccard(members: sparse.csr_matrix, num_queries: int) -> np.ndarray:
    queries, gallery = members[:num_queries], members[num_queries:].tocsc()
    jaccard = np.empty((num_queries, gallery.shape[0]), np.float32)
    for query, row in enumerate(jaccard):
        entries = slice(*queries.indptr[query : query + 2])
        columns = gallery[:, queries.indices[entries]]
        own = np.repeat(queries.data[entries], np.diff(columns.indptr))
        overlap = np.bincount(
            columns.indices, np.minimum(columns.data, own), minlength=gallery.shape[0]
        )
        row[:] = 1 - overlap / (2 - overlap)
    # Rounding can leave a hair less than nothing.
    return np.maximum(jaccard, 0, out=jaccard)
