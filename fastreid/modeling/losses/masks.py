"""Masks of the positive and the negative pairs of a batch."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops


def same_label(labels: Tensor) -> Tensor:
    """Compare the labels of all pairs of rows.

    Args:
        labels: (N,) identities or domains, int32.

    Returns:
        (N, N) bool, True where the labels are equal (the diagonal included).

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import same_label
        >>> same_label(ms.Tensor([3, 5, 3], ms.int32)).asnumpy().astype(int)
        array([[1, 0, 1],
               [0, 1, 0],
               [1, 0, 1]])
    """
    n = labels.shape[0]
    rows = ops.broadcast_to(labels.reshape(n, 1), (n, n))
    return ops.equal(rows, rows.T)


def cross_domain_masks(targets: Tensor, domainids: Tensor) -> tuple[Tensor, Tensor]:
    """Masks of ACL's additional triplet loss, which draws features of different domains together.

    Args:
        targets: (N,) identities, int32.
        domainids: (N,) domains, int32.

    Returns:
        Two (N, N) bool masks. Positives are the row itself and all rows of other domains; negatives
        are the rows of other identities of the same domain.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import cross_domain_masks
        >>> pids, domains = ms.Tensor([0, 1, 2], ms.int32), ms.Tensor([0, 0, 1], ms.int32)
        >>> positive, negative = cross_domain_masks(pids, domains)
        >>> positive.asnumpy().astype(int)
        array([[1, 0, 1],
               [0, 1, 1],
               [1, 1, 1]])
        >>> negative.asnumpy().astype(int)
        array([[0, 1, 0],
               [1, 0, 0],
               [0, 0, 0]])
    """
    n = targets.shape[0]
    same_domain = same_label(domainids)
    itself = ops.eye(n, n, ms.bool_)
    is_positive = ops.logical_or(itself, ops.logical_not(same_domain))
    is_negative = ops.logical_and(same_domain, ops.logical_not(same_label(targets)))
    return is_positive, is_negative
