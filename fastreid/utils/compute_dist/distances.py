"""Distances between two sets of features, as one matrix or in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Protocol, cast

import numpy as np

from ..processor import matmul
from ..processor.threads import row_pieces, run_on_threads

METRICS = ("cosine", "euclidean")
# Lower bound of the divisor when features are normalized, so that zero vectors stay zero.
SHORTEST_NORM = 1e-12
# Maximum number of distances in a block of rows: 256 MB of float32. Smaller blocks are slower,
# because BLAS packs the whole gallery for each block.
BLOCK_ELEMENTS = 2**26
# Maximum number of rows in a block; more do not make it faster.
BLOCK_ROWS = 1024

# A pair whose squared distance is below this fraction of the feature's squared norm is computed
# from the difference of the features: the matrix product loses at least half of its digits there.
_NEAR = 0.02
# With more near pairs in a block than both limits allow, the features have collapsed. Differences
# would take minutes, and the result of the product is kept.
_MOST_NEAR_PAIRS, _MOST_NEAR_PER_ROW = 2**16, 64
# Maximum number of elements in the array of differences.
_DIFFERENCES = 2**20
# Rows that a thread processes in one task.
ROWS_PER_TASK = 64
_NORMS_PER_TASK = 1024

# Maps (R, D) features and an index F to (R, G - F): inner products with G features from F on.
Product = Callable[[np.ndarray, int], np.ndarray]
# Makes a `Product` with (G, D) features.
MakeProduct = Callable[[np.ndarray], Product]


class DeviceDistances(Protocol):
    """Distances (R, G) that are kept on a device."""

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Copy rows (I,) to the host: (I, G)."""

    def take(self, columns: np.ndarray) -> np.ndarray:
        """Copy columns (R, C) of each row to the host: (R, C)."""

    def replace(self, places: np.ndarray, values: np.ndarray) -> None:
        """Write values at flat places."""

    def below(self, limits: np.ndarray, most: int) -> np.ndarray | None:
        """Find the flat places of distances below limits (R,); None if there are too many."""

    def count_before(self, columns: np.ndarray) -> np.ndarray:
        """Count the distances of a row that are ranked before those at columns (R, C): (R, C)."""

    def invalid_rows(self) -> np.ndarray:
        """Find the rows with a distance that is not a number."""

    def nearest(self, count: int) -> np.ndarray:
        """Find the nearest columns, nearest first: (R, count)."""


class _DeviceProduct(Protocol):
    """A product whose distances can stay on the device."""

    most_columns: int

    def cosine(self, rows: np.ndarray) -> DeviceDistances: ...

    def euclidean(
        self, rows: np.ndarray, own: np.ndarray, others: np.ndarray
    ) -> DeviceDistances: ...


def normalize_features(features: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Scale every feature to unit length.

    Args:
        features: (N, D).
        out: (N, D) float32 array for the result, may be ``features`` itself; None makes a new one.

    Returns:
        (N, D), float32.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.compute_dist import normalize_features
        >>> normalize_features(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """
    features = np.asarray(features, np.float32)
    target = np.empty_like(features) if out is None else out

    def normalize(rows: slice) -> None:
        norms = np.linalg.norm(features[rows], axis=1, keepdims=True)
        np.divide(features[rows], np.maximum(norms, SHORTEST_NORM), out=target[rows])

    # In another order than C's, the bits of a norm depend on the number of rows.
    whole = slice(0, len(features))
    pieces = row_pieces(whole, _NORMS_PER_TASK) if features.flags.c_contiguous else [whole]
    run_on_threads(normalize, pieces)
    return target


def blas_product(features: np.ndarray) -> Product:
    """Make the inner product with a set of features on the CPU.

    Args:
        features: (G, D).

    Returns:
        A function that maps (R, D) features and an index F to a new (R, G - F) array.
    """
    return lambda rows, first: matmul(rows, features[first:].T)


class DistanceRows:
    """A (Q, G) distance matrix whose rows are computed on access.

    ``distances[rows]`` with a slice or an index array computes those rows as a new NumPy array.
    Matrix products round differently in blocks of different shapes. To get bit-identical values
    again, index the same rows again, for example the blocks of `row_blocks`.

    Args:
        features_a: (Q, D).
        features_b: (G, D).
        metric: "cosine" (1 - cosine similarity) or "euclidean" (squared, as in fast-reid).
        are_unit: whether the features have norm 1 already; cosine distances then copy nothing.
        make_product: makes the inner product with ``features_b``; BLAS by default.

    Raises:
        ValueError: the metric is unknown or the shapes do not match.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.compute_dist import DistanceRows
        >>> features = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
        >>> distances = DistanceRows(features, features, metric="euclidean")
        >>> distances.shape, distances[1:2].tolist()  # one row is computed
        ((3, 3), [[25.0, 0.0, 18.0]])
    """

    def __init__(
        self,
        features_a: np.ndarray,
        features_b: np.ndarray,
        *,
        metric: str = "cosine",
        are_unit: bool = False,
        make_product: MakeProduct = blas_product,
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
        if metric == "cosine" and not are_unit:
            # The rows are normalized block by block on access.
            second = normalize_features(second)
        self._first = first
        self._scale_first = metric == "cosine" and not are_unit
        self._second = second
        self._product = make_product(second)
        self._largest = 2.0
        if metric == "euclidean":
            self._second_squared = np.einsum("gd,gd->g", second, second)
            longest = np.sqrt(np.einsum("qd,qd->q", first, first).max(initial=0))
            self._largest = float(longest + np.sqrt(self._second_squared.max(initial=0))) ** 2

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def largest(self) -> float:
        """An upper bound of all distances."""
        return self._largest

    def _rows(self, rows: slice | np.ndarray) -> np.ndarray:
        first = self._first[rows]
        return normalize_features(first) if self._scale_first else first

    @property
    def on_device(self) -> bool:
        """Whether the distances can stay on the device that multiplies."""
        return self.shape[1] <= getattr(self._product, "most_columns", -1)

    def device_rows(self, rows: slice | np.ndarray) -> DeviceDistances:
        """Compute rows that stay on the device; only if `on_device`.

        Args:
            rows: slice or index array of rows.

        Returns:
            The (R, G) distances. They equal those of ``distances[rows]``.
        """
        product = cast(_DeviceProduct, self._product)
        features = self._rows(rows)
        own = np.einsum("qd,qd->q", features, features)
        if self.metric == "cosine":
            block = product.cosine(features)
        else:
            block = product.euclidean(features, own, self._second_squared)
        near = block.below(self._near_limits(own), _most_near(len(own)))
        if near is not None and len(near):
            block.replace(near, self._from_differences(near, features, self.shape[1], 0))
        return block

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self.columns_from(0, rows)

    def columns_from(self, first: int, rows: slice | np.ndarray) -> np.ndarray:
        """Compute some rows from a given column on.

        Args:
            first: index of the first column.
            rows: slice or index array of rows.

        Returns:
            (R, G - first) float32, new.
        """
        features = self._rows(rows)
        dist = self._product(features, first)
        own = np.einsum("qd,qd->q", features, features)
        limits = self._near_limits(own)

        def finish(piece: slice) -> np.ndarray:
            """Turn products into distances; return the places of near pairs."""
            block = dist[piece]
            self._to_distances(block, own[piece], first)
            near = np.flatnonzero(block < limits[piece, np.newaxis])
            return near + piece.start * dist.shape[1]

        near = run_on_threads(finish, row_pieces(slice(0, len(dist)), ROWS_PER_TASK))
        if 0 < sum(map(len, near)) <= _most_near(len(dist)):
            places = np.concatenate(near)
            dist.flat[places] = self._from_differences(places, features, dist.shape[1], first)
        return dist

    @property
    def _factor(self) -> float:
        # Half of the squared distance of unit vectors is their cosine distance.
        return 0.5 if self.metric == "cosine" else 1.0

    def _near_limits(self, own: np.ndarray) -> np.ndarray:
        """Return the distances below which pairs are near, from the rows' squared norms."""
        return self._factor * _NEAR * own

    def _to_distances(self, block: np.ndarray, own: np.ndarray, first: int) -> None:
        """Turn products into distances, in place; ``own`` are the rows' squared norms."""
        if self.metric == "cosine":
            np.subtract(1, block, out=block)
            return
        for row, squared in zip(block, own):
            row *= -2
            row += self._second_squared[first:]
            row += squared
            # Rounding can make the distance between equal features negative.
            np.maximum(row, 0, out=row)

    def _from_differences(
        self, places: np.ndarray, features: np.ndarray, num_columns: int, first: int
    ) -> np.ndarray:
        """Compute the distances at flat places of rows from `first` on: (P,) float32."""
        step = max(1, _DIFFERENCES // max(features.shape[1], 1))

        def compute(some: slice) -> np.ndarray:
            rows, columns = np.divmod(places[some], num_columns)
            differences = features[rows] - self._second[first + columns]
            return self._factor * np.einsum("pd,pd->p", differences, differences)

        starts = range(0, len(places), step)
        pieces = run_on_threads(compute, [slice(start, start + step) for start in starts])
        return np.concatenate(pieces)


def _most_near(num_rows: int) -> int:
    """Return the maximum number of near pairs that are computed from differences."""
    return max(_MOST_NEAR_PAIRS, _MOST_NEAR_PER_ROW * num_rows)


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
        ValueError: the metric is unknown or the shapes do not match.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.compute_dist import build_dist
        >>> query, gallery = np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]])
        >>> build_dist(query, gallery, "euclidean").tolist()
        [[1.0, 2.0]]
        >>> build_dist(query, gallery, "cosine").tolist()
        [[0.0, 1.0]]
    """
    rows = DistanceRows(features_a, features_b, metric=metric)
    distances = np.empty(rows.shape, np.float32)
    for block in row_blocks(*rows.shape):
        distances[block] = rows[block]
    return distances


def compute_euclidean_distance(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute all squared euclidean distances between features (Q, D) and (G, D): (Q, G)."""
    return build_dist(features, others, "euclidean")


def compute_cosine_distance(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute all cosine distances between features (Q, D) and (G, D): (Q, G)."""
    return build_dist(features, others, "cosine")


def row_blocks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Split a matrix into blocks of rows, several of which fit into memory.

    Args:
        num_rows: rows of the matrix.
        num_columns: columns of the matrix.

    Yields:
        Consecutive slices that cover all rows. They depend only on the two arguments.

    Examples:
        >>> from fastreid.utils.compute_dist import row_blocks
        >>> list(row_blocks(2500, 1000))
        [slice(0, 1024, None), slice(1024, 2048, None), slice(2048, 2500, None)]
    """
    step = min(max(1, BLOCK_ELEMENTS // max(num_columns, 1)), BLOCK_ROWS)
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))
