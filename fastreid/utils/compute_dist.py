"""Distances between two sets of features, at once or a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

METRICS = ("cosine", "euclidean")
# A vector shorter than this is left as it is: there is no direction to keep.
SHORTEST_NORM = 1e-12
# Rows of a block hold this many distances at most: 64 MB of float32.
BLOCK_ELEMENTS = 2**24


def normalize_features(features: np.ndarray) -> np.ndarray:
    """Scale every feature to unit length.

    Args:
        features: (N, D).

    Returns:
        (N, D), float32.
    """
    features = np.asarray(features, np.float32)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(norms, SHORTEST_NORM)


class DistanceRows:
    """A (Q, G) distance matrix whose rows are computed when they are asked for.

    ``distances[rows]`` with a slice or an index array gives a NumPy array of those rows.

    Args:
        features_a: (Q, D).
        features_b: (G, D).
        metric: "cosine" (1 - cosine similarity) or "euclidean" (squared, as in fast-reid).

    Raises:
        ValueError: the metric is unknown or the shapes do not fit.
    """

    def __init__(
        self, features_a: np.ndarray, features_b: np.ndarray, *, metric: str = "cosine"
    ) -> None:
        if metric not in METRICS:
            raise ValueError(f"Unknown distance {metric!r} (TEST.METRIC): choose one of {METRICS}.")
        first, second = np.asarray(features_a, np.float32), np.asarray(features_b, np.float32)
        if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
            raise ValueError(
                "Distances are between features (Q, D) and (G, D) of one length D, not between "
                f"{first.shape} and {second.shape}."
            )
        self.shape = (len(first), len(second))
        self.metric = metric
        if metric == "cosine":
            first, second = normalize_features(first), normalize_features(second)
        self._first, self._second = first, second
        self._second_squared = np.einsum("gd,gd->g", second, second)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        first = self._first[rows]
        dist = first @ self._second.T
        if self.metric == "cosine":
            return np.subtract(1, dist, out=dist)
        dist *= -2
        dist += self._second_squared
        dist += np.einsum("qd,qd->q", first, first)[:, np.newaxis]
        # Rounding can make the distance of equal features negative.
        return np.maximum(dist, 0, out=dist)


def build_dist(
    features_a: np.ndarray, features_b: np.ndarray, metric: str = "euclidean"
) -> np.ndarray:
    """Compute all distances between two sets of features.

    Args:
        features_a: (Q, D).
        features_b: (G, D).
        metric: "cosine" (1 - cosine similarity) or "euclidean" (squared, as in fast-reid).

    Returns:
        (Q, G), float32.

    Raises:
        ValueError: the metric is unknown or the shapes do not fit.
    """
    return DistanceRows(features_a, features_b, metric=metric)[:]


def row_blocks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Cut a matrix into blocks of whole rows that are small enough to hold several of.

    Args:
        num_rows: rows of the matrix.
        num_columns: columns of the matrix.

    Yields:
        Slices that cover all rows, in order.
    """
    step = max(1, BLOCK_ELEMENTS // max(num_columns, 1))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def nearest_indices(distances: np.ndarray | DistanceRows, count: int) -> np.ndarray:
    """Find the nearest columns of every row; among equal distances the lower index comes first.

    Args:
        distances: (Q, G).
        count: how many to find; with fewer than that, all.

    Returns:
        (Q, min(count, G)), int64, nearest first.
    """
    num_rows, num_columns = distances.shape
    count = min(count, num_columns)
    nearest = np.empty((num_rows, count), np.int64)
    for rows in row_blocks(num_rows, num_columns):
        block = distances[rows]
        furthest = np.partition(block, count - 1, axis=1)[:, count - 1]
        for row, dist, limit in zip(nearest[rows], block, furthest):
            candidates = np.flatnonzero(dist <= limit)
            row[:] = candidates[np.argsort(dist[candidates], kind="stable")[:count]]
    return nearest
