"""Squeeze and excitation whose two layers are 1x1 convolutions with a bias."""

from __future__ import annotations

from mindspore import Tensor, nn

from fastreid.layers import Conv2d, ScaleChannels, SpatialMean


class SqueezeExcitation(nn.Cell):
    """Weight each channel of an image by a value in (0, 1) computed from all channels' means.

    Hu et al., CVPR 2018.

    Args:
        channels: C of the input (N, C, H, W).
        hidden: units of the hidden layer.
        activation: of the hidden layer, (N, hidden, 1, 1) -> the same.
    """

    def __init__(self, channels: int, hidden: int, *, activation: nn.Cell) -> None:
        super().__init__()
        self.mean = SpatialMean()
        self.f_ex = nn.SequentialCell(
            Conv2d(channels, hidden, 1, bias=True),
            activation,
            Conv2d(hidden, channels, 1, bias=True),
            nn.Sigmoid(),
        )
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        n, c = x.shape[:2]
        weights = self.f_ex(self.mean(x).reshape(n, c, 1, 1))
        return self.scale(x, weights.reshape(n, c))
