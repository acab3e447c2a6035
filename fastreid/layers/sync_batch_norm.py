"""Batch normalization with statistics over the rows of all processes that train together.

Every norm sends a message in the forward pass and one in the backward pass. All processes must send
their messages in the same order, or they wait for each other forever. Where two branches of a
network both have such norms, `kernels.InTurn` fixes the order.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.comm import get_world_size

from .batch_norm import BatchNorm
from .kernels import (
    add,
    assign_add,
    batch_norm_gradient,
    cast,
    concat,
    mean_over,
    mul,
    reshape,
    rsqrt,
    square,
    stack,
    sub,
)

_halve_rows, _halve_channels = ops.Split(1, 2), ops.Split(0, 2)


class _Normalize(nn.Cell):
    """Normalize by the joint mean and variance of all processes, and differentiate through them.

    The joint variance is computed from each process's mean and variance, without differences of
    large sums (Chan et al., "Algorithms for computing the sample variance", 1983). All processes
    have the same number of rows. The gradient of the input is that of the sum of all processes'
    losses; the gradients of scale and shift are this process's terms of that sum. Averaged over the
    processes, as training does, they are the gradients of the mean loss (as with PyTorch's
    ``SyncBatchNorm``).

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
        world_size: number of processes.
    """

    def __init__(self, num_features: int, eps: float, world_size: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.world_size = world_size
        self.by_given = ops.BatchNorm(False, eps, 0.0)
        # With this variance a normalization divides by 1, and only subtracts the mean.
        self.scale = ops.ones((num_features,), ms.float32)
        self.shift = ops.zeros((num_features,), ms.float32)
        self.one_less_eps = self.scale - eps
        self.gradients = batch_norm_gradient(eps)
        self.all_gather = ops.AllGather()
        self.all_reduce = ops.AllReduce()

    def construct(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, H, W), (C,), (C,) -> the normalized map, joint mean (C,) and variance (C,)."""
        wide = cast(x, ms.float32)
        mean = mean_over(wide, (0, 2, 3))
        centred = self.by_given(wide, self.scale, self.shift, mean, self.one_less_eps)[0]
        variance = mean_over(square(centred), (0, 2, 3))
        of_all = self.all_gather(stack((mean, variance)))
        of_all = reshape(of_all, (self.world_size, 2 * self.num_features))
        means, variances = _halve_rows(of_all)
        mean = mean_over(means, 0)
        variance = mean_over(add(variances, square(sub(means, mean))), 0)
        return self.by_given(x, gamma, beta, mean, variance)[0], mean, variance

    def bprop(
        self, x: Tensor, gamma: Tensor, _beta: Tensor, out: tuple[Tensor, ...], dout: tuple
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the map (N, C, H, W), of scale and of shift (C,)."""
        n, _, h, w = x.shape
        mean, variance = out[1], out[2]
        own = self.gradients(dout[0], x, gamma, mean, variance, variance)
        sums = _halve_channels(self.all_reduce(concat((own[1], own[2]))))
        slope = mul(gamma, rsqrt(add(variance, self.eps)))
        slope = mul(slope, -1 / (self.world_size * n * h * w))
        # The part through mean and variance: the mean of dout, and the normalized x times the mean
        # of dout * x.
        through = self.by_given(x, mul(slope, sums[0]), mul(slope, sums[1]), mean, variance)[0]
        return add(own[0], through), own[1], own[2]


class _ByAllBatches(nn.Cell):
    """The counterpart of ``ops.BatchNorm`` in training, with statistics over all processes' rows.

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
        momentum: weight of the batch in the new running statistics; 0 leaves them unchanged.
        world_size: number of processes.
    """

    def __init__(self, num_features: int, eps: float, momentum: float, world_size: int) -> None:
        super().__init__()
        self.momentum = momentum
        self.world_size = world_size
        self.normalize = _Normalize(num_features, eps, world_size)

    def construct(
        self, x: Tensor, gamma: Tensor, beta: Tensor, moving_mean: Parameter, moving_var: Parameter
    ) -> tuple[Tensor]:
        """(N, C, H, W) and four of (C,) -> a tuple of the normalized map (N, C, H, W)."""
        y, mean, variance = self.normalize(x, gamma, beta)
        if self.momentum > 0:
            count = self.world_size * x.shape[0] * x.shape[2] * x.shape[3]
            unbiased = mul(variance, count / (count - 1))
            assign_add(moving_mean, mul(sub(mean, moving_mean), self.momentum))
            assign_add(moving_var, mul(sub(unbiased, moving_var), self.momentum))
        return (y,)


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` over the rows of all processes; equal to `BatchNorm` in a single process.

    Args:
        num_features: C of the input (N, C, H, W); N is the same on every process.
        **options: further arguments of `BatchNorm`.
    """

    def __init__(self, num_features: int, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.sends_messages = get_world_size() > 1

    def _by_batch(self, momentum: float) -> nn.Cell | ops.Primitive:
        world_size = get_world_size()
        if world_size == 1:
            return super()._by_batch(momentum)
        return _ByAllBatches(self.gamma.shape[0], self.eps, momentum, world_size)
