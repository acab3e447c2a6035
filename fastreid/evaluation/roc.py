"""Verification rates from a ROC curve over all query and gallery pairs."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, row_blocks

from .rerank import RerankedRows
from .retrieval import RetrievalLabels


def evaluate_roc(
    distmat: np.ndarray | DistanceRows | RerankedRows,
    q_pids: np.ndarray,
    g_pids: np.ndarray,
    q_camids: np.ndarray,
    g_camids: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Collect the distances of all pairs that count (fast-reid's ``evaluate_roc``).

    Args:
        distmat: (Q, G).
        q_pids: (Q,) identity of each query.
        g_pids: (G,) identity of each gallery image.
        q_camids: (Q,) camera of each query.
        g_camids: (G,) camera of each gallery image.

    Returns:
        scores and labels, (M,): the distance of each pair, and True where identities differ. For
        more pairs than memory holds: ``RocHistogram``.

    Raises:
        ValueError: lengths differ or a side is empty.
    """
    labels = RetrievalLabels(q_pids, g_pids, q_camids, g_camids)
    labels.check(distmat.shape)
    scores, differs = [], []
    for rows in row_blocks(*distmat.shape):
        for query, dist in enumerate(distmat[rows], start=rows.start):
            is_match, is_kept = labels.relevance(query)
            scores.append(dist[is_kept])
            differs.append(~is_match[is_kept])
    return np.concatenate(scores), np.concatenate(differs)


def roc_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the ROC curve, as scikit-learn's function of this name gives them.

    Args:
        scores: (M,), higher means positive.
        labels: (M,) bool, True for positive.

    Returns:
        False and true positive rates, (C,), from (0, 0) to (1, 1).
    """
    order = np.argsort(-scores, kind="stable")
    scores, labels = scores[order], np.asarray(labels, bool)[order]
    last_of_equal = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true_positives = np.cumsum(labels)[last_of_equal]
    false_positives = last_of_equal + 1 - true_positives
    bends = np.diff(true_positives, 2).astype(bool) | np.diff(false_positives, 2).astype(bool)
    corners = np.flatnonzero(np.r_[True, bends, True][: len(last_of_equal)])
    false_rate = np.r_[0, false_positives[corners]] / max(false_positives[-1], 1)
    true_rate = np.r_[0, true_positives[corners]] / max(true_positives[-1], 1)
    return false_rate, true_rate


def rate_at(false_rate: np.ndarray, true_rate: np.ndarray, target: float) -> float:
    """Read the curve at the corner whose false positive rate is nearest to a target.

    Args:
        false_rate: (C,), ascending.
        true_rate: (C,).
        target: false positive rate, 0 to 1.

    Returns:
        The true positive rate there.
    """
    return float(true_rate[np.argmin(np.abs(false_rate - target))])
