"""Pairwise circle and cosface losses on the similarities inside a batch."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from fastreid.layers import cosine_gaps, exp, softplus

from .masks import same_label

# Logit of an excluded pair: its exponential is zero relative to that of any pair.
_NO_PAIR = -1e8


def pairwise_circleloss(embedding: Tensor, targets: Tensor, margin: float, gamma: float) -> Tensor:
    """Circle loss on pairs (Sun et al., CVPR 2020, equation 6; upstream's name).

    Every similarity is weighted by its distance from the optimum, without gradient.

    Args:
        embedding: (N, D), any length.
        targets: (N,) int32 identities.
        margin: m, the relaxation.
        gamma: scale of the logits.

    Returns:
        Scalar, the mean over rows; a row without a positive or without a negative counts as 0.
    """
    # 1 - similarity, not the similarity: small numbers for near features keep their digits.
    gaps = cosine_gaps(embedding, embedding)
    fixed = ops.stop_gradient(gaps)
    positive = gamma * ops.relu(margin + fixed) * (gaps - margin)
    negative = gamma * ops.relu(1 + margin - fixed) * (1 - margin - gaps)
    return loss_of_pairs(positive, negative, *_pairs(targets))


def pairwise_cosface(embedding: Tensor, targets: Tensor, margin: float, gamma: float) -> Tensor:
    """Large margin cosine loss on pairs (upstream's name), with a margin on negatives.

    Args:
        embedding: (N, D), any length.
        targets: (N,) int32 identities.
        margin: m, added to the similarity of negatives.
        gamma: scale of the logits.

    Returns:
        Scalar, the mean over rows; a row without a positive or without a negative counts as 0.
    """
    # The constants -gamma and gamma of the two logits cancel in the product and are left out.
    gaps = cosine_gaps(embedding, embedding)
    return loss_of_pairs(gamma * gaps, gamma * (margin - gaps), *_pairs(targets))


def _pairs(targets: Tensor) -> tuple[Tensor, Tensor]:
    """(N, N) bool masks of the positives, without the row itself, and of the negatives."""
    n = targets.shape[0]
    same = same_label(targets)
    is_positive = ops.logical_and(same, ops.logical_not(ops.eye(n, n, ms.bool_)))
    return is_positive, ops.logical_not(same)


def loss_of_pairs(
    positive: Tensor, negative: Tensor, is_positive: Tensor, is_negative: Tensor
) -> Tensor:
    """Mean over rows of log(1 + sum of exp(positive) * sum of exp(negative)).

    Args:
        positive: (N, M) logits of the pairs of N rows with M others, as positives.
        negative: (N, M) logits of the same pairs as negatives.
        is_positive: (N, M) bool, the pairs of the first sum.
        is_negative: (N, M) bool, the pairs of the second sum.

    Returns:
        Scalar; a row without a positive or without a negative counts as 0.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import loss_of_pairs
        >>> zeros, yes = ms.ops.zeros((1, 1)), ms.Tensor([[True]])
        >>> round(float(loss_of_pairs(zeros, zeros, yes, yes)), 4)  # log(1 + 1 * 1)
        0.6931
        >>> float(loss_of_pairs(zeros, zeros, yes, ~yes))  # without a negative
        0.0
    """
    product = _logsumexp(positive, is_positive) + _logsumexp(negative, is_negative)
    return softplus(product).mean()


def _logsumexp(logits: Tensor, mask: Tensor) -> Tensor:
    logits = ops.where(mask, logits, ops.full_like(logits, _NO_PAIR))
    top = ops.stop_gradient(ops.amax(logits, 1, keepdims=True))
    return ops.log(exp(logits - top).sum(1)) + top.reshape(-1)
