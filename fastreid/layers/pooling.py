"""Pooling over the whole map: (N, C, H, W) -> (N, C, 1, 1), with fast-reid's names."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from .spatial import SpatialMean


class Identity(nn.Cell):
    """No pooling."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return x


class Flatten(nn.Cell):
    """Every pixel of every channel becomes a channel."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C * H * W, 1, 1)."""
        return x.reshape(x.shape[0], -1, 1, 1)


class GlobalAvgPool(nn.Cell):
    """Mean of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        return self.mean(x).reshape(x.shape[0], x.shape[1], 1, 1)


class FastGlobalAvgPool(GlobalAvgPool):
    """The same as `GlobalAvgPool`, under the name that fast-reid gives its faster version."""


class ClipGlobalAvgPool(nn.Cell):
    """Mean of each channel, cut to [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.avgpool = FastGlobalAvgPool()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        return ops.clamp(self.avgpool(x), 0.0, 1.0)


class GlobalMaxPool(nn.Cell):
    """Maximum of each channel; the gradient goes to one pixel, the first maximum."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        return ops.adaptive_max_pool2d(x, (1, 1))


class AdaptiveAvgMaxPool(nn.Cell):
    """Sum of the mean and the maximum of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.gap = FastGlobalAvgPool()
        self.gmp = GlobalMaxPool()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        return self.gap(x) + self.gmp(x)


class GeneralizedMeanPooling(nn.Cell):
    """Generalized mean (GeM; Radenovic et al., TPAMI 2018): mean(max(x, eps)^p)^(1/p).

    Args:
        norm: the power p > 0: 1 averages, and infinity takes the maximum.
        eps: inputs below it count as eps.
    """

    def __init__(self, norm: float = 3.0, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = float(norm)
        self.eps = eps
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), negative values allowed -> (N, C, 1, 1)."""
        x = ops.clamp(x, min=self.eps)
        # The usual power by products: the general one is several times slower.
        powers = x * x * x if self.p == 3.0 else ops.pow(x, self.p)
        return ops.pow(self.mean(powers), 1.0 / self.p).reshape(x.shape[0], x.shape[1], 1, 1)


class GeneralizedMeanPoolingP(nn.Cell):
    """`GeneralizedMeanPooling` with a learned power, the parameter `p` of shape (1,).

    Args:
        norm: start value of p.
        eps: inputs below it count as eps.
    """

    def __init__(self, norm: float = 3.0, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = Parameter(ops.full((1,), float(norm), dtype=ms.float32))
        self.eps = eps
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), negative values allowed -> (N, C, 1, 1)."""
        n, c, _, _ = x.shape
        powers = ops.pow(ops.clamp(x, min=self.eps), ops.broadcast_to(self.p, x.shape))
        roots = ops.pow(self.mean(powers), ops.broadcast_to(1.0 / self.p, (n, c)))
        return roots.reshape(n, c, 1, 1)


POOLING = {
    cell.__name__: cell
    for cell in (
        Identity,
        Flatten,
        GlobalAvgPool,
        GlobalMaxPool,
        GeneralizedMeanPooling,
        GeneralizedMeanPoolingP,
        FastGlobalAvgPool,
        AdaptiveAvgMaxPool,
        ClipGlobalAvgPool,
    )
}


def get_pooling(name: str) -> nn.Cell:
    """Build the pooling that a config names.

    Args:
        name: one of fast-reid's names, such as "GeneralizedMeanPooling".

    Returns:
        The cell, (N, C, H, W) -> (N, C, 1, 1), but for `Identity` and `Flatten`.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in POOLING:
        raise ValueError(
            f"MODEL.HEADS.POOL_LAYER {name!r} is unknown; it must be one of {sorted(POOLING)}."
        )
    return POOLING[name]()
