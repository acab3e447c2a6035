"""Squeeze and excitation whose two layers are 1x1 convolutions with a bias."""

from __future__ import annotations

import math

from mindspore import Tensor, nn
from mindspore.common.initializer import Uniform

from fastreid.layers import ScaleChannels, SpatialMean

from ..channel_gate import PointwiseLinear


class SqueezeExcitation(nn.Cell):
    """Weight each channel of an image by a value in (0, 1) computed from all channels' means.

    Hu et al., CVPR 2018.

    Args:
        channels: C of the input (N, C, H, W).
        hidden: units of the hidden layer.
        activation: of the hidden layer, (N, hidden) -> the same.
    """

    def __init__(self, channels: int, hidden: int, *, activation: nn.Cell) -> None:
        super().__init__()
        self.mean = SpatialMean()
        self.f_ex = nn.SequentialCell(
            _layer(channels, hidden),
            activation,
            _layer(hidden, channels),
            nn.Sigmoid(),
        )
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return self.scale(x, self.f_ex(self.mean(x)))


def _layer(in_channels: int, out_channels: int) -> PointwiseLinear:
    """Build a layer whose bias starts as in PyTorch."""
    return PointwiseLinear(in_channels, out_channels, bias_init=Uniform(1 / math.sqrt(in_channels)))
