"""Distances between features, and the nearest neighbours in them."""

from .distances import (
    METRICS,
    SHORTEST_NORM,
    DistanceRows,
    MakeProduct,
    blas_product,
    build_dist,
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
    "normalize_features",
    "row_blocks",
]
