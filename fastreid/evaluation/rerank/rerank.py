"""Re-ranking by Jaccard distances of k-reciprocal neighbours (Zhong et al., CVPR 2017).

Neighbour vectors are sparse and distances are computed in blocks of rows, so that no array of size
N x N or Q x G is needed.
"""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, MakeProduct, blas_product, row_blocks
from fastreid.utils.compute_dist.mutual_nearest import mutual_nearest
from fastreid.utils.processor.threads import row_pieces, run_on_threads

from .reciprocal_neighbours import neighbour_vectors

# Queries whose distances a thread computes in one task.
QUERIES_PER_TASK = 16


class JaccardRows:
    """The (Q, G) Jaccard distances, whose rows are computed on access, as in ``DistanceRows``.

    Args:
        features: (N, D), queries, then gallery.
        num_query: number of queries, Q.
        k1: number of neighbours, including the image itself.
        k2: number of nearest images over which neighbour vectors are averaged; 1 does not average.
        make_product: makes the inner product for distances.

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
        queries = np.arange(len(self))[rows]
        dist = np.empty((len(queries), self.shape[1]), np.float32)

        def fill(piece: slice) -> None:
            dist[piece] = 1
            for row, query in zip(dist[piece], queries[piece]):
                self._fill(row, query)

        run_on_threads(fill, row_pieces(slice(0, len(queries)), QUERIES_PER_TASK))
        return dist

    def _fill(self, row: np.ndarray, query: int) -> None:
        """Write the distances of a query below 1 into a row of ones."""
        entries = slice(*self._queries.indptr[query : query + 2])
        columns, own = self._queries.indices[entries], self._queries.data[entries]
        starts = self._gallery.indptr[columns]
        counts = self._gallery.indptr[columns + 1] - starts
        ends = np.cumsum(counts)
        places = np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
        images = self._gallery.indices[places]
        shared = np.minimum(self._gallery.data[places], np.repeat(own, counts))
        overlap = np.bincount(images, shared, minlength=self.shape[1])[images]
        # Rounding can make the distance slightly negative.
        row[images] = np.maximum(1 - overlap / (2 - overlap), 0)


class RerankedRows:
    """Distances (1 - lambda) * jaccard + lambda * original, whose rows are computed on access.

    Args:
        distances: (Q, G) original distances.
        jaccard: (Q, G) Jaccard distances.
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
        """An upper bound of all distances."""
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
        others = self._jaccard[rows]

        def mix(piece: slice) -> None:
            for row, jaccard in zip(mixed[piece], others[piece]):
                row += np.float32(1 - self._lambda) * jaccard

        run_on_threads(mix, row_pieces(slice(0, len(mixed)), QUERIES_PER_TASK))
        return mixed


def jaccard_distance(
    query_features: np.ndarray, gallery_features: np.ndarray, *, k1: int = 20, k2: int = 6
) -> np.ndarray:
    """Compute the Jaccard distances of the k-reciprocal neighbours of queries and gallery images.

    They equal the query-gallery block of fast-reid's ``compute_jaccard_distance``.

    Args:
        query_features: (Q, D).
        gallery_features: (G, D).
        k1: number of neighbours, including the image itself.
        k2: number of nearest images over which neighbour vectors are averaged; 1 does not average.

    Returns:
        (Q, G) float32, in [0, 1]. `JaccardRows` computes them in blocks of rows instead.

    Raises:
        ValueError: k1 or k2 is below 1, or k2 is above k1.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import jaccard_distance
        >>> query = np.array([[0.0, 1.0]])
        >>> gallery = np.array([[0.1, 1.0], [0.0, 1.1], [5.0, 0.0], [5.1, 0.0], [5.0, 0.1]])
        >>> jaccard_distance(query, gallery, k1=3, k2=1).round(1).tolist()
        [[0.0, 0.0, 1.0, 1.0, 1.0]]
    """
    features = np.concatenate([query_features, gallery_features]).astype(np.float32, copy=False)
    return _all_rows(JaccardRows(features, len(query_features), k1=k1, k2=k2))


def re_ranking(
    distmat: np.ndarray | DistanceRows,
    jaccard: np.ndarray | JaccardRows,
    *,
    lambda_value: float = 0.3,
) -> np.ndarray:
    """Combine the original and the Jaccard distances.

    Args:
        distmat: (Q, G), original distances.
        jaccard: (Q, G), Jaccard distances.
        lambda_value: weight of the original distances, 0 to 1.

    Returns:
        (Q, G) float32: (1 - lambda) * jaccard + lambda * original. `RerankedRows` computes them in
        blocks of rows instead.

    Raises:
        ValueError: lambda is outside 0 to 1.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import re_ranking
        >>> re_ranking(np.array([[0.5, 1.0]]), np.array([[1.0, 0.0]]), lambda_value=0.5).tolist()
        [[0.75, 0.5]]
    """
    return _all_rows(RerankedRows(distmat, jaccard, lambda_value=lambda_value))


def _all_rows(rows: JaccardRows | RerankedRows) -> np.ndarray:
    distances = np.empty(rows.shape, np.float32)
    for block in row_blocks(*rows.shape):
        distances[block] = rows[block]
    return distances
