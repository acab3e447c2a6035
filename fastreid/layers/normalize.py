"""Scaling vectors to unit length."""

from __future__ import annotations

from mindspore import Tensor, ops


def l2_normalize(x: Tensor) -> Tensor:
    """Divide every row by its euclidean length, or by 1e-12 where that is shorter.

    Args:
        x: (N, D).

    Returns:
        (N, D).
    """
    lengths = ops.sqrt(ops.clamp((x * x).sum(1, keepdims=True), min=1e-24))
    return x / ops.broadcast_to(lengths, x.shape)
