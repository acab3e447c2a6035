"""Which pairs of a batch are positive and which negative."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops


def same_label(labels: Tensor) -> Tensor:
    """Compare every row's label with every other's.

    Args:
        labels: (N,) identities or domains, int32.

    Returns:
        (N, N) bool, True where the labels are equal (the diagonal included).
    """
    n = labels.shape[0]
    rows = ops.broadcast_to(labels.reshape(n, 1), (n, n))
    return ops.equal(rows, rows.T)


def cross_domain_masks(targets: Tensor, domainids: Tensor) -> tuple[Tensor, Tensor]:
    """Masks of ACL's additional triplet loss, which pulls domains together.

    Args:
        targets: (N,) identities, int32.
        domainids: (N,) domains, int32.

    Returns:
        Two (N, N) bool masks: positives are the row itself and all rows of other domains; negatives
        are the other identities of the row's own domain.
    """
    n = targets.shape[0]
    same_domain = same_label(domainids)
    itself = ops.eye(n, n, ms.bool_)
    is_positive = ops.logical_or(itself, ops.logical_not(same_domain))
    is_negative = ops.logical_and(same_domain, ops.logical_not(same_label(targets)))
    return is_positive, is_negative
