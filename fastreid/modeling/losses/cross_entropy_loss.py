"""Cross entropy with label smoothing, over a whole batch or for each domain."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from fastreid.layers import exp, log_odds_against, softplus


def smoothed_cross_entropy(logits: Tensor, targets: Tensor, eps: float, alpha: float) -> Tensor:
    """Label-smoothed cross entropy of each row.

    Args:
        logits: (N, C).
        targets: (N,) classes in [0, C), int32; the loss of a row outside that range is undefined.
        eps: label smoothing, the probability moved from the true class to the others; negative:
            adaptive, `alpha` times the predicted probability of the true class.
        alpha: factor of the adaptive smoothing.

    Returns:
        (N,) losses.
    """
    num_classes = logits.shape[1]
    one_hot = ops.one_hot(targets, num_classes, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
    gaps, log_odds = log_odds_against(logits, one_hot)
    losses = softplus(log_odds)
    if eps == 0 or num_classes == 1:
        return losses
    smoothing = eps if eps > 0 else alpha * ops.stop_gradient(exp(-losses))
    # Uses -log(p_j) = -log(p_y) - (z_j - z_y), with y the true class.
    return losses - smoothing * gaps.sum(1) / (num_classes - 1)


def mean_over_nonzero(losses: Tensor) -> Tensor:
    """Sum of (N,) losses divided by the number that is not zero (at least 1): a scalar."""
    count = ops.stop_gradient((losses != 0).astype(ms.float32).sum())
    return losses.sum() / ops.clamp(count, min=1.0)


def cross_entropy_loss(
    pred_class_outputs: Tensor, gt_classes: Tensor, eps: float, alpha: float = 0.2
) -> Tensor:
    """Cross entropy of a batch, fast-reid's signature.

    Args:
        pred_class_outputs: (N, C) logits.
        gt_classes: (N,) classes, int32.
        eps: label smoothing; negative: adaptive.
        alpha: factor of the adaptive smoothing.

    Returns:
        The loss, a scalar.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import cross_entropy_loss
        >>> logits, pids = ms.Tensor([[2.0, 0.0, 0.0]]), ms.Tensor([0], ms.int32)
        >>> [round(float(cross_entropy_loss(logits, pids, eps)), 4) for eps in (0.0, 0.1)]
        [0.2395, 0.4395]
    """
    return mean_over_nonzero(smoothed_cross_entropy(pred_class_outputs, gt_classes, eps, alpha))


def domain_cross_entropy_loss(
    logits_per_domain: tuple[Tensor, ...],
    targets: Tensor,
    first_labels: tuple[int, ...],
    eps: float,
    alpha: float,
) -> Tensor:
    """Cross entropy of each domain's rows with its own classifier, mean over domains present.

    Args:
        logits_per_domain: for each domain (N, classes of that domain), of all rows.
        targets: (N,) global classes, int32; those of one domain are consecutive.
        first_labels: the first global class of each domain.
        eps: label smoothing; negative: adaptive.
        alpha: factor of the adaptive smoothing.

    Returns:
        The loss, a scalar (ACL, ECCV 2022; upstream ``Baseline.losses``).
    """
    total, present = 0.0, 0.0
    for logits, first in zip(logits_per_domain, first_labels):
        local = targets - first
        mine = ops.logical_and(local >= 0, local < logits.shape[1])
        label = ops.where(mine, local, ops.zeros_like(local))
        losses = smoothed_cross_entropy(logits, label, eps, alpha)
        losses = ops.where(mine, losses, ops.zeros_like(losses))
        total = total + mean_over_nonzero(losses)
        present = present + mine.any().astype(ms.float32)
    return total / present
