"""One query from several images of a person."""

from __future__ import annotations

import numpy as np

from .interface import GalleryError

_SHORTEST = 1e-6


def mean_direction(features: np.ndarray) -> np.ndarray:
    """Average features of one person, each with the same weight.

    Args:
        features: (N, D), N >= 1, of any length above 0.

    Returns:
        (D,) float64 of length 1.

    Raises:
        GalleryError: a feature, or the mean, is zero or not finite.
    """
    rows = np.asarray(features, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise GalleryError(f"Feature {wrong[0] + 1} of {len(rows)} is zero or not finite.")
    mean = (rows / lengths).mean(axis=0)
    length = np.linalg.norm(mean)
    # What is left by rounding has no direction.
    if length < _SHORTEST:
        raise GalleryError(f"The mean of the {len(rows)} features is zero.")
    return mean / length
