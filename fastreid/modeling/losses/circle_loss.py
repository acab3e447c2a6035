"""Pairwise circle and cosface losses on the similarities inside a batch."""

from __future__ import annotations

from mindspore import Tensor, ops

from fastreid.layers import l2_normalize

# Logit of a pair that does not count: its exponential is zero beside any other.
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
    similarity, is_positive, is_negative = _similarities(embedding, targets)
    fixed = ops.stop_gradient(similarity)
    positive = -gamma * ops.relu(1 + margin - fixed) * (similarity - (1 - margin))
    negative = gamma * ops.relu(fixed + margin) * (similarity - margin)
    return _loss_of_logits(positive, negative, is_positive, is_negative)


def pairwise_cosface(embedding: Tensor, targets: Tensor, margin: float, gamma: float) -> Tensor:
    """Large margin cosine loss on pairs (upstream's name): negatives closer than m cost.

    Args:
        embedding: (N, D), any length.
        targets: (N,) int32 identities.
        margin: m, added to the similarity of negatives.
        gamma: scale of the logits.

    Returns:
        Scalar, the mean over rows; a row without a positive or without a negative counts as 0.
    """
    similarity, is_positive, is_negative = _similarities(embedding, targets)
    positive = -gamma * similarity
    negative = gamma * (similarity + margin)
    return _loss_of_logits(positive, negative, is_positive, is_negative)


def _similarities(embedding: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    features = l2_normalize(embedding)
    same = ops.equal(targets.reshape(-1, 1), targets.reshape(1, -1))
    rows = ops.arange(embedding.shape[0])
    itself = ops.equal(rows.reshape(-1, 1), rows.reshape(1, -1))
    is_positive = ops.logical_and(same, ops.logical_not(itself))
    return ops.matmul(features, features.T), is_positive, ops.logical_not(same)


def _loss_of_logits(
    positive: Tensor, negative: Tensor, is_positive: Tensor, is_negative: Tensor
) -> Tensor:
    """Mean over rows of log(1 + sum of exp(positive) * sum of exp(negative))."""
    product = _logsumexp(positive, is_positive) + _logsumexp(negative, is_negative)
    return (ops.relu(product) + ops.log1p(ops.exp(-ops.abs(product)))).mean()


def _logsumexp(logits: Tensor, mask: Tensor) -> Tensor:
    logits = ops.where(mask, logits, ops.full_like(logits, _NO_PAIR))
    top = ops.stop_gradient(ops.amax(logits, 1, keepdims=True))
    return ops.log(ops.exp(logits - top).sum(1)) + top.reshape(-1)
