"""Verification scores: true positive rates at given false positive rates."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from fastreid.utils.compute_dist import DistanceRows

from .rerank import RerankedRows
from .retrieval import RetrievalLabels
from .roc import evaluate_roc, rate_at, roc_curve
from .roc_histogram import RocHistogram

# Sorting this many pairs takes about half a gigabyte.
MOST_PAIRS = 2**24

logger = logging.getLogger(__name__)


def verification_rates(
    distmat: np.ndarray | DistanceRows | RerankedRows,
    labels: RetrievalLabels,
    false_rates: Iterable[float],
) -> dict[float, float]:
    """Compute true positive rates at given false positive rates, over all scored pairs.

    The rates are exact for up to ``MOST_PAIRS`` pairs. With more pairs they come from a histogram,
    and a bound of their error is logged.

    Args:
        distmat: (Q, G).
        labels: labels of queries and gallery.
        false_rates: false positive rates, each from 0 to 1.

    Returns:
        True positive rates by false positive rate.

    Raises:
        ValueError: lengths differ, or queries or gallery are empty.
    """
    num_pairs = distmat.shape[0] * distmat.shape[1]
    if num_pairs <= MOST_PAIRS:
        sides = (labels.q_pids, labels.g_pids, labels.q_camids, labels.g_camids)
        curve = roc_curve(*evaluate_roc(distmat, *sides))
        return {rate: rate_at(*curve, rate) for rate in false_rates}
    histogram = RocHistogram(distmat, labels)
    read = {rate: histogram.rate_at(rate) for rate in false_rates}
    logger.info(
        "ROC of %d pairs from a histogram; maximum error of the TPR: %s.",
        num_pairs,
        ", ".join(f"{bound:.1e} at FPR {rate:.0e}" for rate, (_, bound) in read.items()),
    )
    return {rate: value for rate, (value, _) in read.items()}
