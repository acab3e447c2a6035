"""Triplet losses with batch-hard or weighted mining."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from fastreid.layers import cosine_gaps, exp, softplus

from .masks import same_label

# Larger than any distance: a row without a negative has a margin loss of 0.
_FAR = 1e9
_FALLBACK_MARGIN = 0.3


def euclidean_distances(features: Tensor) -> Tensor:
    """Pairwise euclidean distances, sqrt(max(d^2, 1e-12)).

    Args:
        features: (N, D).

    Returns:
        (N, N), at least 1e-6.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import euclidean_distances
        >>> euclidean_distances(ms.Tensor([[0.0, 0.0], [3.0, 4.0]])).asnumpy().round(4).tolist()
        [[0.0, 5.0], [5.0, 0.0]]
    """
    # From the differences of pairs: a matrix product loses the digits of near rows.
    return ops.clamp(ops.cdist(features, features), min=1e-6)


def cosine_distances(features: Tensor) -> Tensor:
    """Pairwise 2 - 2 cos, for `TRI.NORM_FEAT`.

    Args:
        features: (N, D), not normalized.

    Returns:
        (N, N) in [0, 4].
    """
    return 2 * cosine_gaps(features, features)


def hardest_pairs(
    distances: Tensor, is_positive: Tensor, is_negative: Tensor
) -> tuple[Tensor, Tensor]:
    """Farthest positive and nearest negative of each row (batch hard, Hermans et al. 2017).

    Args:
        distances: (N, N), >= 0.
        is_positive: (N, N) bool.
        is_negative: (N, N) bool.

    Returns:
        Two (N,) distances; a row without a positive gets 0, one without a negative 1e9. Upstream:
        ``hard_example_mining``.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import hardest_pairs, same_label
        >>> distances = ms.Tensor([[0.0, 1.0, 4.0], [1.0, 0.0, 3.0], [4.0, 3.0, 0.0]])
        >>> is_positive = same_label(ms.Tensor([0, 0, 1], ms.int32))
        >>> farthest, nearest = hardest_pairs(distances, is_positive, ~is_positive)
        >>> farthest.asnumpy().tolist(), nearest.asnumpy().tolist()
        ([1.0, 1.0, 0.0], [4.0, 3.0, 3.0])
    """
    zeros = ops.zeros_like(distances)
    farthest = ops.where(is_positive, distances, zeros).max(axis=1)
    nearest = ops.where(is_negative, distances, zeros + _FAR).min(axis=1)
    return farthest, nearest


def weighted_pairs(
    distances: Tensor, is_positive: Tensor, is_negative: Tensor
) -> tuple[Tensor, Tensor]:
    """Softmax-weighted mean distance to the positives and to the negatives of each row.

    Ristani and Tomasi, CVPR 2018, as AGW uses it; upstream: ``weighted_example_mining``.

    Args:
        distances: (N, N), >= 0.
        is_positive: (N, N) bool.
        is_negative: (N, N) bool.

    Returns:
        Two (N,) distances; a row without a positive gets 0, one without a negative 1e9.
    """
    nearest = _weighted(distances, is_negative, -1.0)
    far = ops.full_like(nearest, _FAR)
    nearest = ops.where(is_negative.any(axis=1), nearest, far)
    return _weighted(distances, is_positive, 1.0), nearest


def _weighted(distances: Tensor, mask: Tensor, sign: float) -> Tensor:
    mask = mask.astype(ms.float32)
    masked = distances * mask
    largest = (sign * masked * mask).max(axis=1).reshape(-1, 1)
    weights = exp(sign * masked - largest) * mask
    weights = weights / (weights.sum(1, keepdims=True) + 1e-6)
    return (masked * weights).sum(1)


def margin_loss(positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Mean of max(0, positive - negative + margin).

    Args:
        positive: (N,) distances to positives.
        negative: (N,) distances to negatives.
        margin: required difference between the two distances.

    Returns:
        The loss, a scalar.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import margin_loss
        >>> float(margin_loss(ms.Tensor([1.0, 2.0]), ms.Tensor([3.0, 1.5]), margin=0.5))
        0.5
    """
    return ops.relu(positive - negative + margin).mean()


def soft_margin_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean of log(1 + exp(positive - negative)), or margin loss (0.3) if that overflows.

    Args:
        positive: (N,) distances to positives.
        negative: (N,) distances to negatives.

    Returns:
        The loss, a scalar.
    """
    gap = positive - negative
    # As upstream: the margin loss where exp overflows in float32, see docs/fidelity.md.
    overflows = ops.greater(gap.max(), 88.72283)
    soft = softplus(gap).mean()
    return ops.where(overflows, margin_loss(positive, negative, _FALLBACK_MARGIN), soft)


def mined_triplet_loss(positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Margin loss, or soft-margin loss if `margin` is 0.

    Args:
        positive: (N,) distances to positives.
        negative: (N,) distances to negatives.
        margin: in units of distance; 0: soft margin.

    Returns:
        The loss, a scalar.
    """
    if margin > 0:
        return margin_loss(positive, negative, margin)
    return soft_margin_loss(positive, negative)


def triplet_loss(
    embedding: Tensor, targets: Tensor, margin: float, norm_feat: bool, hard_mining: bool
) -> Tensor:
    """Triplet loss of a batch by identity (Hermans et al. 2017), fast-reid's signature.

    Args:
        embedding: (N, D).
        targets: (N,) identities, int32.
        margin: in units of distance; 0: soft margin.
        norm_feat: whether distances are 2 - 2 cos, not euclidean.
        hard_mining: whether mining is batch-hard, not softmax-weighted.

    Returns:
        The loss, a scalar.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import triplet_loss
        >>> features = ms.Tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
        >>> pids = ms.Tensor([0, 0, 1, 1], ms.int32)
        >>> loss = triplet_loss(features, pids, margin=1.5, norm_feat=False, hard_mining=True)
        >>> round(float(loss), 4)
        0.316
    """
    distances = cosine_distances(embedding) if norm_feat else euclidean_distances(embedding)
    is_positive = same_label(targets)
    is_negative = ops.logical_not(is_positive)
    mine = hardest_pairs if hard_mining else weighted_pairs
    positive, negative = mine(distances, is_positive, is_negative)
    return mined_triplet_loss(positive, negative, margin)
