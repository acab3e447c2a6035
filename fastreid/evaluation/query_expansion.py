"""Average query expansion (Chum et al., ICCV 2007), weighted by similarity."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, MakeProduct, blas_product
from fastreid.utils.compute_dist.mutual_nearest import mutual_nearest
from fastreid.utils.threads import run_on_threads

# Features that are expanded at a time: what this takes of memory stays small.
ROWS_PER_TASK = 256


def aqe(
    query_features: np.ndarray,
    gallery_features: np.ndarray,
    *,
    qe_times: int = 1,
    qe_k: int = 10,
    alpha: float = 3.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace every feature by a mean over its nearest neighbours (fast-reid's ``aqe``).

    The mean is a plain one, of cosine ** alpha * feature, and the feature itself is its own first
    neighbour. Neighbours are found among queries and gallery together.

    Args:
        query_features: (Q, D).
        gallery_features: (G, D).
        qe_times: how often to repeat it.
        qe_k: neighbours, >= 1.
        alpha: exponent. Negative similarities count as 0 unless it is a whole number.

    Returns:
        The new (Q, D) and (G, D), float32.

    Raises:
        ValueError: qe_k is below 1.
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
    """Expand all features by each other, see `aqe`.

    Args:
        features: (N, D) float32, queries and gallery.
        qe_times: how often to repeat it.
        qe_k: neighbours, >= 1.
        alpha: exponent.
        make_product: how similarities are computed.

    Returns:
        (N, D) float32, new unless ``qe_times`` is 0.

    Raises:
        ValueError: qe_k is below 1.
    """
    if qe_k < 1:
        raise ValueError(f"TEST.AQE.QE_K ({qe_k}) must be at least 1.")
    for _ in range(qe_times):
        distances = DistanceRows(features, features, metric="cosine", make_product=make_product)
        nearest = mutual_nearest(distances, qe_k)
        # The distances hold a scaled copy of all features.
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
