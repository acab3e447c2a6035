"""Blocks and stages of ResNeSt."""

from __future__ import annotations

from collections.abc import Callable

from mindspore import Tensor, nn, ops

from fastreid.layers import Conv2d, SplAtConv2d

from ..blocks import ResidualBlock
from .specs import StageSpec

EXPANSION = 4


class SplitAttentionBottleneck(ResidualBlock):
    """1x1 convolution, 3x3 split attention, 1x1 convolution, and a shortcut.

    A stride is an average over 3x3 pixels after the split attention.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        planes: channels of the split attention; the output has 4 * planes.
        norm: builds a norm from its channel count.
        pool_stride: step of the average over 3x3 pixels; 0: no average.
        dilation: of the 3x3 convolution, in pixels.
        downsample: the shortcut where input and output differ in shape; None: the input.
    """

    def __init__(
        self,
        in_channels: int,
        planes: int,
        *,
        norm: Callable[[int], nn.Cell],
        pool_stride: int = 0,
        dilation: int = 1,
        downsample: nn.Cell | None = None,
    ) -> None:
        super().__init__()
        out_channels = planes * EXPANSION
        self.conv1 = Conv2d(in_channels, planes, 1)
        self.bn1 = norm(planes)
        self.conv2 = SplAtConv2d(
            planes, planes, 3, padding=dilation, dilation=dilation, radix=2, norm=norm
        )
        self.pool: nn.Cell = nn.Identity()
        if pool_stride:
            self.pool = nn.AvgPool2d(3, pool_stride, pad_mode="pad", padding=1)
        self.conv3 = Conv2d(planes, out_channels, 1)
        self.bn3 = norm(out_channels)
        self.set_shortcut(out_channels, with_se=False, downsample=downsample)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 * planes, H / stride, W / stride), rounded up."""
        y = ops.relu(self.bn1(self.conv1(x)))
        y = self.pool(self.conv2(y))
        return self.add_shortcut(self.bn3(self.conv3(y)), x)


def pooled_shortcut(
    in_channels: int, out_channels: int, stride: int, *, norm: Callable[[int], nn.Cell]
) -> nn.Cell:
    """Build an average over stride x stride pixels, a 1x1 convolution and a norm (ResNet-D).

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        stride: side of the average, in pixels; at the border it is over the pixels that there are.
        norm: builds a norm from its channel count.

    Returns:
        The cell, (N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up.
    """
    pool = nn.Identity()
    if stride > 1:
        options = {"ceil_mode": True, "count_include_pad": False}
        pool = nn.AvgPool2d(stride, stride, pad_mode="pad", **options)
    return nn.SequentialCell(pool, Conv2d(in_channels, out_channels, 1), norm(out_channels))


class ResNeStStage(nn.Cell):
    """Blocks in sequence.

    Args:
        in_channels: channels of the input.
        spec: width, number of blocks, stride, dilation.
        norm: builds a norm from its channel count.
    """

    def __init__(
        self, in_channels: int, spec: StageSpec, *, norm: Callable[[int], nn.Cell]
    ) -> None:
        super().__init__()
        self.out_channels = spec.planes * EXPANSION
        self.stride = spec.stride
        first = SplitAttentionBottleneck(
            in_channels,
            spec.planes,
            norm=norm,
            pool_stride=spec.stride if spec.pools else 0,
            downsample=pooled_shortcut(in_channels, self.out_channels, spec.stride, norm=norm),
        )
        rest = [
            SplitAttentionBottleneck(
                self.out_channels, spec.planes, norm=norm, dilation=spec.dilation
            )
            for _ in range(spec.blocks - 1)
        ]
        self.blocks = nn.CellList([first, *rest])

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        for block in self.blocks:
            x = block(x)
        return x
