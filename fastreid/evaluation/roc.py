"""ROC curve over all pairs of a query and a gallery image."""

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
    """Collect the distances of all pairs that are scored (fast-reid's ``evaluate_roc``).

    Pairs of the same identity and camera are ignored.

    Args:
        distmat: (Q, G).
        q_pids: (Q,) identity of each query.
        g_pids: (G,) identity of each gallery image.
        q_camids: (Q,) camera of each query.
        g_camids: (G,) camera of each gallery image.

    Returns:
        scores and labels, (M,): the distance of each pair, and whether its identities differ. If
        the pairs do not fit into memory, use ``RocHistogram``.

    Raises:
        ValueError: lengths differ, or queries or gallery are empty.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import evaluate_roc
        >>> distances, one, two = np.array([[0.1, 0.2, 0.3]]), np.array([1]), np.array([2])
        >>> scores, labels = evaluate_roc(
        ...     distances, one, np.array([1, 1, 5]), one, np.array([1, 2, 2])
        ... )
        >>> scores.tolist(), labels.tolist()
        ([0.2, 0.3], [False, True])
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
    """Compute the corners of the ROC curve, like scikit-learn's ``roc_curve``.

    Args:
        scores: (M,), higher for positives.
        labels: (M,) bool, True for positives.

    Returns:
        False and true positive rates, (C,) each, from (0, 0) to (1, 1).

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import roc_curve
        >>> false_rate, true_rate = roc_curve(np.array([0.9, 0.8, 0.3]), np.array([1, 0, 1]))
        >>> false_rate.tolist(), true_rate.tolist()
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
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
    """Return the true positive rate at the corner nearest to a false positive rate.

    Args:
        false_rate: (C,) false positive rates, ascending.
        true_rate: (C,) true positive rates.
        target: false positive rate, 0 to 1.

    Returns:
        The true positive rate of that corner.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation import rate_at
        >>> rate_at(np.array([0.0, 0.01, 0.1, 1.0]), np.array([0.0, 0.6, 0.9, 1.0]), target=0.01)
        0.6
    """
    return float(true_rate[np.argmin(np.abs(false_rate - target))])
