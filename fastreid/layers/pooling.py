"""Pooling over the whole map: (N, C, H, W) -> (N, C, 1, 1), with fast-reid's names."""

from __future__ import annotations

from collections.abc import Mapping

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.checkpoint.weights import Adapted

from .kernels import AtLeast, SpatialMean

# The usual power of the generalized mean, and the start value of a learned one.
_POWER = 3.0


class Identity(nn.Cell):
    """No pooling."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return x


class Flatten(nn.Cell):
    """Make every pixel of every channel a channel."""

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
    """`GlobalAvgPool` under the name of fast-reid's faster version."""


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
        norm: the power p > 0; 1 gives the mean, infinity the maximum.
        eps: inputs below it count as eps.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import GeneralizedMeanPooling
        >>> x = ms.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
        >>> [f"{float(GeneralizedMeanPooling(p)(x)):.3f}" for p in (1, 3, 100)]
        ['3.000', '3.979', '5.917']
    """

    def __init__(self, norm: float = _POWER, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = float(norm)
        self.eps = eps
        self.at_least_eps = AtLeast(eps)
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), negative values allowed -> (N, C, 1, 1)."""
        n, c, _, _ = x.shape
        x = self.at_least_eps(x)
        if self.p == 3.0:
            # The usual power as products: `ops.pow` is several times slower.
            return ops.pow(self.mean(x * x * x), 1.0 / 3).reshape(n, c, 1, 1)
        powers, largest = _powers_of_fractions(x, self.p)
        return (largest * ops.pow(self.mean(powers), 1.0 / self.p)).reshape(n, c, 1, 1)

    def adapt_to_weights(self, weights: Mapping[str, np.ndarray]) -> Adapted | None:
        """Take the learned power of a file of weights in place of the constant.

        Args:
            weights: the file's arrays for this cell by their names in the cell; `p` is (1,).

        Returns:
            A pooling with that power, which is not trained; None without a power.
        """
        power = np.ravel(weights.get("p", ()))
        if power.shape != (1,) or not power[0] > 0:
            return None
        if power[0] == self.p:
            return Adapted(self, {}, "")
        learned = GeneralizedMeanPoolingP(float(power[0]), eps=self.eps)
        learned.p.requires_grad = False
        learned.set_train(self.training)
        return Adapted(
            learned,
            {"p": power},
            f"the file's learned power {power[0]:.4g} is used, not the constant {self.p:g} of "
            "GeneralizedMeanPooling; MODEL.HEADS.POOL_LAYER GeneralizedMeanPoolingP would train it",
        )


def _powers_of_fractions(x: Tensor, power: float | Tensor) -> tuple[Tensor, Tensor]:
    """Divide every pixel by the largest of its channel; return the powers and the largest.

    Without the division the power underflows: 1e-6 to the seventh is zero in float32, and a root of
    zero has no gradient. The result does not depend on the divisor, so it has no gradient.
    """
    n, c, h, w = x.shape
    rows = x.reshape(n * c, h * w)
    largest = ops.stop_gradient(ops.amax(rows, 1, keepdims=True))
    fractions = rows * ops.broadcast_to(1 / largest, rows.shape)
    return ops.pow(fractions, power).reshape(n, c, h, w), largest.reshape(n, c)


class GeneralizedMeanPoolingP(nn.Cell):
    """`GeneralizedMeanPooling` with a learned power, the parameter `p` of shape (1,).

    Args:
        norm: start value of p.
        eps: inputs below it count as eps.
    """

    def __init__(self, norm: float = _POWER, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = Parameter(ops.full((1,), float(norm), dtype=ms.float32))
        self.at_least_eps = AtLeast(eps)
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), negative values allowed -> (N, C, 1, 1)."""
        n, c, h, w = x.shape
        power = ops.broadcast_to(self.p, (n * c, h * w))
        powers, largest = _powers_of_fractions(self.at_least_eps(x), power)
        roots = ops.pow(self.mean(powers), ops.broadcast_to(1.0 / self.p, (n, c)))
        return (largest * roots).reshape(n, c, 1, 1)

    def adapt_to_weights(self, weights: Mapping[str, np.ndarray]) -> Adapted | None:
        """Take the constant of `GeneralizedMeanPooling` where a file of weights has no power.

        Args:
            weights: the file's arrays for this cell by their names in the cell; `p` is (1,).

        Returns:
            This cell with that power; None where the file has one.
        """
        if "p" in weights:
            return None
        return Adapted(
            self,
            {"p": np.full(1, _POWER, np.float32)},
            f"the file has no learned power, {_POWER:g} is used as in GeneralizedMeanPooling; if "
            "the weights were trained with another pooling, set MODEL.HEADS.POOL_LAYER to it",
        )


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
    """Build the pooling of a name in the config.

    Args:
        name: one of fast-reid's names, such as "GeneralizedMeanPooling".

    Returns:
        The cell, (N, C, H, W) -> (N, C, 1, 1); other shapes for `Identity` and `Flatten`.

    Raises:
        ValueError: for an unknown name.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import get_pooling
        >>> pool = get_pooling("AdaptiveAvgMaxPool")
        >>> pool(ms.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).asnumpy().ravel().tolist()  # 3 + 6
        [9.0]
    """
    if name not in POOLING:
        raise ValueError(
            f"MODEL.HEADS.POOL_LAYER {name!r} is unknown; it must be one of {sorted(POOLING)}."
        )
    return POOLING[name]()
