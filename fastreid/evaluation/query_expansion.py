"""Average query expansion (Chum et al., ICCV 2007), weighted by similarity."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, nearest_indices, normalize_features


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
    if qe_k < 1:
        raise ValueError(f"TEST.AQE.QE_K ({qe_k}) must be at least 1.")
    features = np.concatenate([query_features, gallery_features]).astype(np.float32)
    for _ in range(qe_times):
        nearest = nearest_indices(DistanceRows(features, features, metric="cosine"), qe_k)
        units = normalize_features(features)
        expanded = np.zeros_like(features)
        for neighbours in nearest.T:
            similarity = np.einsum("nd,nd->n", units, units[neighbours])
            if alpha != int(alpha):
                similarity = np.maximum(similarity, 0)
            expanded += features[neighbours] * (similarity**alpha)[:, np.newaxis]
        features = expanded / nearest.shape[1]
    return features[: len(query_features)], features[len(query_features) :]
