"""Distances between features and nearest neighbours, in NumPy.

``distances`` computes distance matrices, at once or in blocks of rows; ``nearest`` finds the
nearest columns of each row; ``mutual_nearest`` does so faster for one set against itself.
"""

from .distances import (
    METRICS,
    SHORTEST_NORM,
    DeviceDistances,
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
    "DeviceDistances",
    "DistanceRows",
    "MakeProduct",
    "blas_product",
    "build_dist",
    "compute_cosine_distance",
    "compute_euclidean_distance",
    "normalize_features",
    "row_blocks",
]
