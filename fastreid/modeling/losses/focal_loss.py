"""Focal loss."""

from __future__ import annotations

from mindspore import Tensor, ops

from fastreid.layers import exp, log_odds_against, softplus


def focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: float,
    gamma: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy with less weight on well classified samples (Lin et al., ICCV 2017).

    -alpha * (1 - p)^gamma * log(p), with p the probability of the true class.

    Args:
        input: (N, C, ...) logits.
        target: (N, ...) int32 classes in [0, C).
        alpha: factor of the loss.
        gamma: exponent of the weight, >= 0; 0 gives the cross entropy.
        reduction: "none", "mean" or "sum".

    Returns:
        (N, ...) for "none", else a scalar.

    Raises:
        ValueError: for shapes that do not match, or an unknown `reduction`.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import focal_loss
        >>> logits, pids = ms.Tensor([[2.0, 0.0], [0.0, 2.0]]), ms.Tensor([0, 0], ms.int32)
        >>> losses = focal_loss(logits, pids, alpha=1.0, gamma=2.0, reduction="none")
        >>> losses.asnumpy().round(4)  # the well classified row hardly counts
        array([0.0018, 1.6501], dtype=float32)
    """
    if len(input.shape) < 2 or target.shape != (input.shape[0], *input.shape[2:]):
        raise ValueError(
            f"focal_loss takes input (N, C, ...) and target (N, ...); the shapes are "
            f"{input.shape} and {target.shape}."
        )
    one_hot = ops.one_hot(target, input.shape[1], 1.0, 0.0, 1)
    _, log_odds = log_odds_against(input, one_hot)
    # Computed from log(1 - p): 1 - p itself loses its digits where p is near 1.
    losses = alpha * exp(-gamma * softplus(-log_odds)) * softplus(log_odds)
    if reduction == "none":
        return losses
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    raise ValueError(f"reduction {reduction!r} is unknown; it must be none, mean or sum.")
