"""True positive rates at given false positive rates, exact as long as all pairs fit in memory."""

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
    """Read the ROC curve of all pairs that count at some false positive rates.

    Args:
        distmat: (Q, G).
        labels: of queries and gallery.
        false_rates: each from 0 to 1.

    Returns:
        False positive rate -> true positive rate. Above ``MOST_PAIRS`` pairs they come from a
        histogram, and how far off they can be is logged.

    Raises:
        ValueError: lengths differ or a side is empty.
    """
    num_pairs = distmat.shape[0] * distmat.shape[1]
    if num_pairs <= MOST_PAIRS:
        sides = (labels.q_pids, labels.g_pids, labels.q_camids, labels.g_camids)
        curve = roc_curve(*evaluate_roc(distmat, *sides))
        return {rate: rate_at(*curve, rate) for rate in false_rates}
    histogram = RocHistogram(distmat, labels)
    read = {rate: histogram.rate_at(rate) for rate in false_rates}
    logger.info(
        "ROC of %d pairs from a histogram; TPR is exact within %s.",
        num_pairs,
        ", ".join(f"{bound:.1e} at FPR {rate:.0e}" for rate, (_, bound) in read.items()),
    )
    return {rate: value for rate, (value, _) in read.items()}
