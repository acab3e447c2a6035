"""Average query expansion (Chum et al., ICCV 2007), weighted by similarity."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, MakeProduct, blas_product
from fastreid.utils.compute_dist.mutual_nearest import mutual_nearest
from fastreid.utils.processor.threads import run_on_threads

# Number of features that a thread expands in one task; limits the memory for temporary arrays.
ROWS_PER_TASK = 256


def aqe(
    query_features: np.ndarray,
    gallery_features: np.ndarray,
    *,
    qe_times: int = 1,
    qe_k: int = 10,
    alpha: float = 3.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace every feature by a weighted mean of its nearest neighbours (fast-reid's ``aqe``).

    The result is the sum of cosine ** alpha * feature over the neighbours, divided by their number.
    Neighbours are searched in queries and gallery together; the first one is the feature itself.

    Args:
        query_features: (Q, D).
        gallery_features: (G, D).
        qe_times: number of repetitions.
        qe_k: number of neighbours, >= 1.
        alpha: exponent. Unless it is a whole number, negative similarities count as 0.

    Returns:
        The new (Q, D) and (G, D), float32.

    Raises:
        ValueError: qe_k is below 1.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import aqe
        >>> query, gallery = np.array([[1.0, 0.0]]), np.array([[0.8, 0.6], [0.0, 1.0]])
        >>> expanded, _ = aqe(query, gallery, qe_k=2, alpha=1.0)  # (query + 0.8 * nearest) / 2
        >>> expanded.round(4)
        array([[0.82, 0.24]], dtype=float32)
    """
    features = np.concatenate([query_features, gallery_features]).astype(np.float32, copy=False)
    features = expand_features(features, qe_times=qe_times, qe_k=qe_k, alpha=alpha)
    return features[: len(query_features)], features[len(query_features) :]


def expand_features(
    features: np.ndarray,
    *,
    qe_times: int,
    qe_k: int,
    alpha: float,
    make_product: MakeProduct = blas_product,
) -> np.ndarray:
    """Expand a set of features, see `aqe`.

    Args:
        features: (N, D) float32, queries and gallery.
        qe_times: number of repetitions.
        qe_k: number of neighbours, >= 1.
        alpha: exponent, see `aqe`.
        make_product: makes the inner product for similarities.

    Returns:
        (N, D) float32; a new array unless ``qe_times`` is 0.

    Raises:
        ValueError: qe_k is below 1.
    """
    if qe_k < 1:
        raise ValueError(f"TEST.AQE.QE_K ({qe_k}) must be at least 1.")
    for _ in range(qe_times):
        distances = DistanceRows(features, features, metric="cosine", make_product=make_product)
        nearest = mutual_nearest(distances, qe_k)
        # The distances contain a normalized copy of all features.
        del distances
        features = _expanded(features, nearest, alpha)
    return features


def _expanded(features: np.ndarray, nearest: np.ndarray, alpha: float) -> np.ndarray:
    lengths = np.maximum(np.linalg.norm(features, axis=1), np.finfo(np.float32).tiny)
    expanded = np.zeros_like(features)

    def expand(rows: slice) -> None:
        own = features[rows] / lengths[rows, np.newaxis]
        for neighbours in nearest[rows].T:
            theirs = features[neighbours]
            similarity = np.einsum("nd,nd->n", own, theirs) / lengths[neighbours]
            if alpha != int(alpha):
                similarity = np.maximum(similarity, 0)
            theirs *= (similarity**alpha)[:, np.newaxis]
            expanded[rows] += theirs
        expanded[rows] /= nearest.shape[1]

    starts = range(0, len(features), ROWS_PER_TASK)
    run_on_threads(expand, [slice(start, start + ROWS_PER_TASK) for start in starts])
    return expanded
