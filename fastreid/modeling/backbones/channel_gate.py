"""Channel gates: squeeze and excitation whose two layers are 1x1 convolutions with a bias."""

from __future__ import annotations

import math
from collections.abc import Callable

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal, initializer

from fastreid.layers import ScaleChannels, SpatialMean


class PointwiseLinear(nn.Cell):
    """A 1x1 convolution with a bias on maps of one pixel, computed as a matrix product.

    The weight starts as N(0, sqrt(2 / out_channels)). It has four dimensions as in published files.

    Args:
        in_channels: C of the input (N, C).
        out_channels: C' of the output (N, C').
        bias_init: start value of the bias (C',).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, bias_init: Initializer | str = "zeros"
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, 1, 1)
        std = math.sqrt(2.0 / out_channels)
        self.weight = Parameter(initializer(Normal(std), shape, ms.float32))
        self.bias = Parameter(initializer(bias_init, (out_channels,), ms.float32))
        self.product = ops.MatMul(transpose_b=True)

    def construct(self, x: Tensor) -> Tensor:
        """(N, C) -> (N, C')."""
        out_channels, in_channels, _, _ = self.weight.shape
        return self.product(x, self.weight.reshape(out_channels, in_channels)) + self.bias


class ChannelGate(nn.Cell):
    """Weight each channel of an image by a value in [0, 1] computed from all channels' means.

    Args:
        channels: C of the input (N, C, H, W).
        hidden: units of the hidden layer.
        activation: maps the second layer's output to [0, 1].
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        *,
        activation: Callable[[Tensor], Tensor] = ops.sigmoid,
    ) -> None:
        super().__init__()
        self.mean = SpatialMean()
        self.fc1 = PointwiseLinear(channels, hidden)
        self.fc2 = PointwiseLinear(hidden, channels)
        self.activation = activation
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return self.scale(x, self.activation(self.fc2(ops.relu(self.fc1(self.mean(x))))))
