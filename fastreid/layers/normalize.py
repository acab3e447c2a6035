"""Scaling vectors to unit length, and comparing their directions."""

from __future__ import annotations

from mindspore import Tensor, ops

_SHORTEST_SQUARE = 1e-24


def l2_normalize(x: Tensor) -> Tensor:
    """Divide every row by its euclidean length, or by 1e-12 where that is shorter.

    Args:
        x: (N, D).

    Returns:
        (N, D).

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import l2_normalize
        >>> l2_normalize(ms.Tensor([[3.0, 4.0], [0.0, 0.0]])).asnumpy().round(4)
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """
    lengths = ops.sqrt(ops.clamp((x * x).sum(1, keepdims=True), min=_SHORTEST_SQUARE))
    return x / ops.broadcast_to(lengths, x.shape)


def cosine_gaps(first: Tensor, second: Tensor) -> Tensor:
    """1 - cosine similarity of every pair of rows.

    Computed as half the squared difference of the unit vectors: 1 minus their product loses all
    digits for near directions. The rounding of the unit vectors remains, a relative error of 2e-7 /
    angle.

    Args:
        first: (Q, D), rows of any length; a row of zeros has similarity 0 to every row.
        second: (G, D).

    Returns:
        (Q, G) in [0, 2].

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import cosine_gaps
        >>> others = ms.Tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> gaps = cosine_gaps(ms.Tensor([[1.0, 0.0]]), others)
        >>> gaps.asnumpy().round(6).tolist()
        [[0.0, 1.0, 2.0]]
    """
    one, other = l2_normalize(first), l2_normalize(second)
    halves = 0.5 * ops.cdist(one, other) ** 2
    lacks = _lacking_length(first, one), _lacking_length(second, other).T
    return halves + 0.5 * _sum_of_pairs(*lacks)


def _sum_of_pairs(column: Tensor, row: Tensor) -> Tensor:
    """Add every number of a column (Q, 1) to every number of a row (1, G): (Q, G)."""
    shape = (column.shape[0], row.shape[1])
    return ops.broadcast_to(column, shape) + ops.broadcast_to(row, shape)


def _lacking_length(x: Tensor, unit: Tensor) -> Tensor:
    """1 - squared length of rows that are too short to be scaled to 1; (N, D) -> (N, 1)."""
    is_short = ops.stop_gradient((x * x).sum(1, keepdims=True)) < _SHORTEST_SQUARE
    lacking = 1 - (unit * unit).sum(1, keepdims=True)
    return ops.where(is_short, lacking, ops.zeros_like(lacking))
