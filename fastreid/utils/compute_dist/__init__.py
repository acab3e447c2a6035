"""Distances between features, and the nearest neighbours in them."""

from .distances import (
    METRICS,
    SHORTEST_NORM,
    DistanceRows,
    MakeProduct,
    blas_product,
    build_dist,
    compute_cosine_distance,
    compute_euclidean_distance,
    normalize_features,
    row_blocks,
)

__all__ = [
    "METRICS",
    "SHORTEST_NORM",
    "DistanceRows",
    "MakeProduct",
    "blas_product",
    "build_dist",
    "compute_cosine_distance",
    "compute_euclidean_distance",
    "normalize_features",
    "row_blocks",
]
