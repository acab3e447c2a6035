"""Re-ranking by Jaccard distances of k-reciprocal neighbours (Zhong et al., CVPR 2017).

Neighbour lists are sparse and distances are made a block of rows at a time: nothing of size N x N
or Q x G is held.
"""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, MakeProduct, blas_product, row_blocks
from fastreid.utils.compute_dist.mutual_nearest import mutual_nearest

from .reciprocal_neighbours import neighbour_vectors


class JaccardRows:
    """The (Q, G) Jaccard distances, computed by rows when asked for, as ``DistanceRows`` does.

    Args:
        features: (N, D), queries, then gallery.
        num_query: Q.
        k1: neighbours that are looked at, the image itself included.
        k2: neighbours over which the sets are averaged; 1 leaves them as they are.
        make_product: how distances are computed.

    Raises:
        ValueError: k1 or k2 is below 1, or k2 is above k1.
    """

    def __init__(
        self,
        features: np.ndarray,
        num_query: int,
        *,
        k1: int = 20,
        k2: int = 6,
        make_product: MakeProduct = blas_product,
    ) -> None:
        if not 1 <= k2 <= k1:
            raise ValueError(f"TEST.RERANK needs 1 <= K2 <= K1, but K1 is {k1} and K2 is {k2}.")
        distances = DistanceRows(features, features, metric="euclidean", make_product=make_product)
        vectors = neighbour_vectors(features, mutual_nearest(distances, k1), k1=k1, k2=k2)
        self._queries, self._gallery = vectors[:num_query], vectors[num_query:].tocsc()
        self.shape = (num_query, len(features) - num_query)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        # Steps are short: threads would wait for each other.
        return np.stack([self._row(query) for query in np.arange(len(self))[rows]])

    def _row(self, query: int) -> np.ndarray:
        entries = slice(*self._queries.indptr[query : query + 2])
        columns, own = self._queries.indices[entries], self._queries.data[entries]
        starts = self._gallery.indptr[columns]
        counts = self._gallery.indptr[columns + 1] - starts
        ends = np.cumsum(counts)
        places = np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
        images = self._gallery.indices[places]
        shared = np.minimum(self._gallery.data[places], np.repeat(own, counts))
        overlap = np.bincount(images, shared, minlength=self.shape[1])[images]
        row = np.ones(self.shape[1], np.float32)
        # Rounding can leave a hair less than nothing.
        row[images] = np.maximum(1 - overlap / (2 - overlap), 0)
        return row


class RerankedRows:
    """(1 - lambda) * jaccard + lambda * original, by rows, as ``DistanceRows``.

    Args:
        distances: (Q, G), original ones.
        jaccard: (Q, G).
        lambda_value: weight of the original distances, 0 to 1.

    Raises:
        ValueError: lambda is outside 0 to 1.
    """

    def __init__(
        self,
        distances: np.ndarray | DistanceRows,
        jaccard: np.ndarray | JaccardRows,
        *,
        lambda_value: float = 0.3,
    ) -> None:
        if not 0 <= lambda_value <= 1:
            raise ValueError(f"TEST.RERANK.LAMBDA is {lambda_value}; it must be from 0 to 1.")
        self._distances, self._jaccard, self._lambda = distances, jaccard, lambda_value
        self.shape = distances.shape

    @property
    def largest(self) -> float:
        """A bound that no distance exceeds."""
        largest = (
            self._distances.max()
            if isinstance(self._distances, np.ndarray)
            else self._distances.largest
        )
        return self._lambda * float(largest) + 1 - self._lambda

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        mixed = np.asarray(self._distances[rows] * np.float32(self._lambda), np.float32)
        for row, jaccard in zip(mixed, self._jaccard[rows]):
            row += np.float32(1 - self._lambda) * jaccard
        return mixed


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
        (Q, G) float32, in [0, 1]; `JaccardRows` does not make all of it at once.

    Raises:
        ValueError: k1 or k2 is below 1, or k2 is above k1.
    """
    features = np.concatenate([query_features, gallery_features]).astype(np.float32, copy=False)
    return _whole(JaccardRows(features, len(query_features), k1=k1, k2=k2))


def re_ranking(
    distmat: np.ndarray | DistanceRows,
    jaccard: np.ndarray | JaccardRows,
    *,
    lambda_value: float = 0.3,
) -> np.ndarray:
    """Mix the original and the Jaccard distances.

    Args:
        distmat: (Q, G), original distances.
        jaccard: (Q, G), Jaccard distances.
        lambda_value: weight of the original distances, 0 to 1.

    Returns:
        (Q, G) float32: (1 - lambda) * jaccard + lambda * original; `RerankedRows` does not make
        all of it at once.

    Raises:
        ValueError: lambda is outside 0 to 1.
    """
    return _whole(RerankedRows(distmat, jaccard, lambda_value=lambda_value))


def _whole(rows: JaccardRows | RerankedRows) -> np.ndarray:
    made = np.empty(rows.shape, np.float32)
    for block in row_blocks(*rows.shape):
        made[block] = rows[block]
    return made
