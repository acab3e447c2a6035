"""Batch, frozen batch, instance, group and IBN normalization with PyTorch's conventions.

Running statistics follow ``new = (1 - momentum) * old + momentum * batch``, and the running
variance is unbiased, both as in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops


class BatchNorm(nn.Cell):
    """Batch normalization over (N, H, W) with three modes.

    - *general* (training): batch statistics; the running ones are updated;
    - *hold* (training with `hold` set): batch statistics; the running ones are not updated;
    - *eval*: running statistics.

    Graph mode reads `hold` at compile time: set it with `held_statistics` around every call.

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
        momentum: weight of the batch in the new running statistics.
        bias_freeze: the shift is added but not trained.
        weight_init: start value of the scale.
        bias_init: start value of the shift.
    """

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias_freeze: bool = False,
        weight_init: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        shape = (num_features,)
        self.gamma = Parameter(ops.full(shape, weight_init, dtype=ms.float32))
        self.beta = Parameter(
            ops.full(shape, bias_init, dtype=ms.float32), requires_grad=not bias_freeze
        )
        self.moving_mean = Parameter(ops.zeros(shape, ms.float32), requires_grad=False)
        self.moving_variance = Parameter(ops.ones(shape, ms.float32), requires_grad=False)
        self.eps = eps
        self.momentum = momentum
        self.by_running = ops.BatchNorm(False, eps, 0.0)
        self.by_batch_holding = self._by_batch(0.0)
        self.by_batch_moving = self._by_batch(momentum)
        self.hold = False

    def _by_batch(self, momentum: float) -> ops.Primitive | nn.Cell:
        return ops.BatchNorm(True, self.eps, momentum)

    @property
    def hold(self) -> bool:
        """Whether training leaves the running statistics unchanged."""
        return self._hold

    @hold.setter
    def hold(self, value: bool) -> None:
        self._hold = value
        self.by_batch = self.by_batch_holding if value else self.by_batch_moving

    def move_in_two_parts(self) -> None:
        """Make two passes over one batch update the running statistics as one pass does."""
        self.momentum = 1 - math.sqrt(1 - self.momentum)
        self.by_batch_moving = self._by_batch(self.momentum)
        self.hold = self._hold

    def run_once(self) -> None:
        """Exclude this norm from the recomputation of the block that it is in."""
        for primitive in (self.by_batch_holding, self.by_batch_moving):
            primitive.recompute(False)

    def construct(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) -> the same."""
        return self._normalize(x, self.gamma, self.beta)

    def scaled(self, x: Tensor, scale: Tensor) -> Tensor:
        """Normalize, and multiply by one more value per channel.

        The value is multiplied into scale and shift, which saves a pass over the output map.

        Args:
            x: (N, C, H, W).
            scale: (C,).

        Returns:
            (N, C, H, W).
        """
        return self._normalize(x, self.gamma * scale, self.beta * scale)

    def _normalize(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        if self.training:
            return self.by_batch(x, gamma, beta, self.moving_mean, self.moving_variance)[0]
        return self.by_running(x, gamma, beta, self.moving_mean, self.moving_variance)[0]


class FrozenBatchNorm(nn.Cell):
    """Batch normalization by given statistics, in training too; nothing of it is trained.

    In a state dict its four tensors have the names of a batch norm's, as in fast-reid. At the start
    it changes nothing.

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        shape = (num_features,)
        self.gamma = Parameter(ops.ones(shape, ms.float32), requires_grad=False)
        self.beta = Parameter(ops.zeros(shape, ms.float32), requires_grad=False)
        self.moving_mean = Parameter(ops.zeros(shape, ms.float32), requires_grad=False)
        start = ops.full(shape, 1 - eps, dtype=ms.float32)
        self.moving_variance = Parameter(start, requires_grad=False)
        self.normalize = ops.BatchNorm(False, eps, 0.0)

    def construct(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) -> the same."""
        return self.normalize(x, self.gamma, self.beta, self.moving_mean, self.moving_variance)[0]


class GroupNorm(nn.GroupNorm):
    """Normalization over the pixels and channels of each of 32 groups (Wu and He, ECCV 2018).

    Args:
        num_features: C of the input (N, C, H, W), a multiple of 32.
        eps: added to the variance.

    Raises:
        ValueError: if C is not a multiple of 32.
    """

    groups = 32

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        if num_features % self.groups:
            raise ValueError(
                f"NORM 'GN' has {self.groups} groups, which do not divide {num_features} channels; "
                "choose 'BN', or widths that are multiples of 32."
            )
        super().__init__(self.groups, num_features, eps=eps)

    def construct(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) -> the same; computed in float32 where x is float16."""
        return super().construct(x.astype(ms.float32)).astype(x.dtype)


class InstanceNorm(nn.Cell):
    """Instance normalization with scale and shift; instance statistics in evaluation too.

    Computed as one batch normalization of (1, N*C, H, W); MindSpore has no instance norm on CPU.

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.gamma = Parameter(ops.ones((num_features,), ms.float32))
        self.beta = Parameter(ops.zeros((num_features,), ms.float32))
        self.normalize = ops.BatchNorm(True, eps, 0.0)

    def construct(self, x: Tensor) -> Tensor:
        """Normalize each channel of each image over its pixels: (N, C, H, W) -> the same."""
        n, c, h, w = x.shape
        y = self.normalize(
            x.reshape(1, n * c, h, w),
            ops.tile(self.gamma, (n,)),
            ops.tile(self.beta, (n,)),
            ops.zeros((n * c,), ms.float32),
            ops.ones((n * c,), ms.float32),
        )
        return y[0].reshape(n, c, h, w)


class IBN(nn.Cell):
    """Instance norm on the first half of the channels, batch norm on the rest (IBN-Net a).

    Pan et al., ECCV 2018. The published weights have the names IN and BN.

    Args:
        num_features: C of the input (N, C, H, W).
        instance_norm: builds the norm of the first half from its channel count.
        batch_norm: builds the norm of the second half from its channel count.
    """

    def __init__(
        self,
        num_features: int,
        *,
        instance_norm: Callable[[int], nn.Cell] = InstanceNorm,
        batch_norm: Callable[[int], nn.Cell] = BatchNorm,
    ) -> None:
        super().__init__()
        half = num_features // 2
        # An even split is one operation instead of two slices, in the gradient too.
        self.parts = half if num_features == 2 * half else [half, num_features - half]
        self.IN = instance_norm(half)
        self.BN = batch_norm(num_features - half)

    def construct(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) -> the same."""
        first, rest = ops.split(x, self.parts, 1)
        return ops.cat((self.IN(first), self.BN(rest)), 1)


def running_statistics(model: nn.Cell) -> list[Parameter]:
    """List the running mean and variance, (C,) each, of every `BatchNorm` of `model`."""
    norms = [cell for _, cell in model.cells_and_names() if isinstance(cell, BatchNorm)]
    return [each for norm in norms for each in (norm.moving_mean, norm.moving_variance)]


@contextmanager
def held_statistics(model: nn.Cell) -> Iterator[None]:
    """Switch every `BatchNorm` of `model` to *hold* inside of a ``with`` block."""
    norms = [cell for _, cell in model.cells_and_names() if isinstance(cell, BatchNorm)]
    before = [norm.hold for norm in norms]
    for norm in norms:
        norm.hold = True
    try:
        yield
    finally:
        for norm, hold in zip(norms, before):
            norm.hold = hold
