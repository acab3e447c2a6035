"""Squeeze and excitation (Hu et al., CVPR 2018)."""

from __future__ import annotations

from mindspore import Tensor, nn

from .conv import Linear
from .kernels import ScaleChannels, SpatialMean


class SELayer(nn.Cell):
    """Weight each channel of an image by a value in (0, 1) computed from all channels' means.

    Args:
        channel: C of the input (N, C, H, W).
        reduction: the hidden layer has C // reduction units.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import SELayer
        >>> layer = SELayer(32, reduction=16)
        >>> layer(ms.ops.ones((2, 32, 8, 4))).shape
        (2, 32, 8, 4)
        >>> [(parameter.name, parameter.shape) for parameter in layer.get_parameters()]
        [('fc.0.weight', (2, 32)), ('fc.2.weight', (32, 2))]
    """

    def __init__(self, channel: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = channel // reduction
        self.fc = nn.SequentialCell(
            Linear(channel, hidden), nn.ReLU(), Linear(hidden, channel), nn.Sigmoid()
        )
        self.mean = SpatialMean()
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return self.scale(x, self.fc(self.mean(x)))
