"""Split attention (Zhang et al., "ResNeSt: Split-Attention Networks", CVPRW 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from .batch_norm import BatchNorm
from .conv import Conv2d
from .kernels import ScaleChannels, SpatialMean


class SplAtConv2d(nn.Cell):
    """A convolution into several maps (splits), and their sum weighted channel by channel.

    With u_r = relu(bn0(conv(x)))_r for each split r::

        s = mean over the pixels of sum_r u_r
        a = softmax over r of fc2(relu(bn1(fc1(s))))
        output = sum_r a_r * u_r

    The convolution has one group per split.

    Args:
        in_channels: channels of the input (N, in_channels, H, W), a multiple of `radix`.
        channels: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: step of the kernel, in pixels.
        padding: zeros added on each side, in pixels.
        dilation: distance of neighbouring taps of the kernel, in pixels.
        radix: number of splits, at least 2.
        reduction_factor: the hidden layer has in_channels * radix // reduction_factor channels,
            at least 32.
        norm: builds a norm from its channel count.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        radix: int = 2,
        reduction_factor: int = 4,
        norm: Callable[[int], nn.Cell] = BatchNorm,
    ) -> None:
        super().__init__()
        hidden = max(in_channels * radix // reduction_factor, 32)
        self.radix = radix
        self.channels = channels
        self.later_splits = tuple(range(channels, radix * channels, channels))
        self.conv = Conv2d(
            in_channels,
            channels * radix,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=radix,
        )
        self.bn0 = norm(channels * radix)
        self.fc1 = _pointwise(channels, hidden)
        self.bn1 = norm(hidden)
        self.fc2 = _pointwise(hidden, channels * radix)
        self.mean = SpatialMean()
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H', W')."""
        splits = ops.relu(self.bn0(self.conv(x)))
        weighted = self.scale(splits, self.attention(splits))
        total = weighted[:, : self.channels]
        for start in self.later_splits:
            total = total + weighted[:, start : start + self.channels]
        return total

    def attention(self, splits: Tensor) -> Tensor:
        """Weight the channels of all splits, in float32.

        Args:
            splits: (N, radix * channels, H, W), split after split.

        Returns:
            (N, radix * channels); the weights of one channel of all splits sum to 1.
        """
        n, width = splits.shape[:2]
        means = self.mean(splits).reshape(n, self.radix, -1).sum(1)
        hidden = ops.relu(self.bn1(self.fc1(means.reshape(n, -1, 1, 1))))
        scores = self.fc2(hidden).reshape(n, self.radix, -1)
        return ops.softmax(scores, 1).reshape(n, width)


def _pointwise(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Build a 1x1 convolution with a bias and with `Conv2d`'s start values, always in float32."""
    init = Normal(math.sqrt(2.0 / out_channels))
    return nn.Conv2d(in_channels, out_channels, 1, has_bias=True, weight_init=init)
