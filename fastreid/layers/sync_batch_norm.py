"""Batch normalization with statistics over the rows of all processes that train together.

Every norm sends a message in the forward pass and one in the backward pass. Processes that send
messages in different orders wait forever, so wherever two branches of a network both have such
norms `InTurn` puts one behind the other.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.ops.operations import _grad_ops

from fastreid.utils.comm import get_world_size

from .batch_norm import BatchNorm

# Primitives: functions, methods and operators take several times as long to compile, which a
# hundred norms pay for, and some do not compile inside a bprop.
_add, _sub, _mul = ops.Add(), ops.Sub(), ops.Mul()
_square, _rsqrt = ops.Square(), ops.Rsqrt()
_cast, _reshape, _stack, _concat = ops.Cast(), ops.Reshape(), ops.Stack(0), ops.Concat(0)
_mean_over = ops.ReduceMean()
_halve_rows, _halve_channels = ops.Split(1, 2), ops.Split(0, 2)
_assign_add = ops.AssignAdd()


class _Normalize(nn.Cell):
    """Normalize by the joint mean and variance of all processes, with the gradient of that.

    Chan et al., "Algorithms for computing the sample variance", 1983: the variance is put together
    from each process's mean and variance, without differences of large sums. All processes have as
    many rows. The gradient of the input is that of the sum of all processes' losses; those of
    scale and shift are this process's share of it. So the mean over the processes, which training
    takes, is the gradient of the mean of their losses (as with PyTorch's ``SyncBatchNorm``).

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
        # By the square root of 1: what is left of a normalization takes the mean away.
        self.scale = ops.ones((num_features,), ms.float32)
        self.shift = ops.zeros((num_features,), ms.float32)
        self.one_less_eps = self.scale - eps
        self.gradients = _grad_ops.BatchNormGrad(False, eps)
        self.all_gather = ops.AllGather()
        self.all_reduce = ops.AllReduce()

    def construct(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, H, W), (C,), (C,) -> the same map normalized, joint mean and variance (C,)."""
        wide = _cast(x, ms.float32)
        mean = _mean_over(wide, (0, 2, 3))
        centred = self.by_given(wide, self.scale, self.shift, mean, self.one_less_eps)[0]
        variance = _mean_over(_square(centred), (0, 2, 3))
        of_all = self.all_gather(_stack((mean, variance)))
        of_all = _reshape(of_all, (self.world_size, 2 * self.num_features))
        means, variances = _halve_rows(of_all)
        mean = _mean_over(means, 0)
        variance = _mean_over(_add(variances, _square(_sub(means, mean))), 0)
        return self.by_given(x, gamma, beta, mean, variance)[0], mean, variance

    def bprop(
        self, x: Tensor, gamma: Tensor, _beta: Tensor, out: tuple[Tensor, ...], dout: tuple
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the map (N, C, H, W), of scale and of shift (C,)."""
        n, _, h, w = x.shape
        mean, variance = out[1], out[2]
        own = self.gradients(dout[0], x, gamma, mean, variance, variance)
        sums = _halve_channels(self.all_reduce(_concat((own[1], own[2]))))
        slope = _mul(gamma, _rsqrt(_add(variance, self.eps)))
        slope = _mul(slope, -1 / (self.world_size * n * h * w))
        # Through mean and variance: the mean of dout, and x normalized times the mean of dout * x.
        through = self.by_given(x, _mul(slope, sums[0]), _mul(slope, sums[1]), mean, variance)[0]
        return _add(own[0], through), own[1], own[2]


class _ByAllBatches(nn.Cell):
    """What ``ops.BatchNorm`` does in training, with the rows of all processes.

    Args:
        num_features: C of the input (N, C, H, W).
        eps: added to the variance.
        momentum: share of the batch in the new running statistics; 0 leaves them alone.
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
        """(N, C, H, W) and four of (C,) -> the normalized map (N, C, H, W), alone in a tuple."""
        y, mean, variance = self.normalize(x, gamma, beta)
        if self.momentum > 0:
            count = self.world_size * x.shape[0] * x.shape[2] * x.shape[3]
            unbiased = _mul(variance, count / (count - 1))
            _assign_add(moving_mean, _mul(_sub(mean, moving_mean), self.momentum))
            _assign_add(moving_var, _mul(_sub(unbiased, moving_var), self.momentum))
        return (y,)


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` over the rows of all processes; in a single process it is `BatchNorm`.

    Args:
        num_features: C of the input (N, C, H, W), N the same on every process.
        **options: of `BatchNorm`.
    """

    def __init__(self, num_features: int, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.sends_messages = get_world_size() > 1

    def _by_batch(self, momentum: float) -> nn.Cell | ops.Primitive:
        world_size = get_world_size()
        if world_size == 1:
            return super()._by_batch(momentum)
        return _ByAllBatches(self.gamma.shape[0], self.eps, momentum, world_size)


class InTurn(nn.Cell):
    """Let one branch of a network begin after another has ended; and the reverse, going back."""

    def construct(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Make the input of the second branch wait.

        Args:
            x: (N, C, H, W), the input of both branches.
            first: (N, C', H', W'), what the first branch gave.

        Returns:
            The same two.
        """
        return ops.depend(x, first), first

    def bprop(
        self, _x: Tensor, _first: Tensor, _out: tuple, dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Gradients (N, C, H, W), (N, C', H', W'): the first branch's waits for the second's."""
        return dout[0], ops.depend(dout[1], dout[0])


class _AtWill(nn.Cell):
    """`InTurn` for branches that need not wait."""

    def construct(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Give back (N, C, H, W), (N, C', H', W')."""
        return x, first


def sends_messages(cell: nn.Cell) -> bool:
    """Tell whether a cell has norms over several processes; any shape (N, C, H, W) of input."""
    norms = [each for _, each in cell.cells_and_names() if isinstance(each, SyncBatchNorm)]
    return any(norm.sends_messages for norm in norms)


def in_turn(*branches: nn.Cell) -> nn.Cell:
    """Build what stands between two branches of one input: `InTurn` where one may send messages.

    Args:
        branches: cells of the second branch, (N, C, H, W) -> (N, C', H', W').

    Returns:
        From (N, C, H, W), the input, and (N, C', H', W'), the first branch's output, to the same.
    """
    return InTurn() if any(map(sends_messages, branches)) else _AtWill()
