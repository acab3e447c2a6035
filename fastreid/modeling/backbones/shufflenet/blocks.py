"""The units of ShuffleNetV2: figure 3 (c) and (d) of the paper."""

from __future__ import annotations

from collections.abc import Callable

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from fastreid.layers import Conv2d, in_turn

Norm = Callable[[int], nn.Cell]


def pointwise(in_channels: int, out_channels: int, *, norm: Norm) -> list[nn.Cell]:
    """Build a 1x1 convolution, its norm and ReLU; the weight starts as N(0, 1 / in_channels).

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output (N, out_channels, H, W).
        norm: builds the norm.

    Returns:
        Three cells to be run in sequence.
    """
    weight = Normal(1.0 / in_channels)
    conv = Conv2d(in_channels, out_channels, 1, weight_init=weight)
    return [conv, norm(out_channels), nn.ReLU()]


def depthwise(channels: int, *, stride: int, norm: Norm) -> list[nn.Cell]:
    """Build a 3x3 convolution of each channel alone, and its norm; the weight starts as N(0, 1).

    Args:
        channels: channels of the input (N, channels, H, W) and of the output.
        stride: stride of the convolution; sizes of the output are rounded up.
        norm: builds the norm.

    Returns:
        Two cells to be run in sequence.
    """
    weight = Normal(1.0)
    conv = Conv2d(
        channels, channels, 3, stride=stride, padding=1, groups=channels, weight_init=weight
    )
    return [conv, norm(channels)]


def _main_branch(
    in_channels: int, out_channels: int, *, hidden: int, stride: int, norm: Norm
) -> nn.SequentialCell:
    return nn.SequentialCell(
        *pointwise(in_channels, hidden, norm=norm),
        *depthwise(hidden, stride=stride, norm=norm),
        *pointwise(hidden, out_channels, norm=norm),
    )


class BasicUnit(nn.Cell):
    """Keep the even channels of the input, and convolve the odd ones.

    Taking every second channel is the split of this unit and the shuffle of the one before it.

    Args:
        channels: channels of the input (N, channels, H, W) and of the output; even.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(self, channels: int, *, norm: Norm) -> None:
        super().__init__()
        half = channels // 2
        self.branch_main = _main_branch(half, half, hidden=half, stride=1, norm=norm)

    def construct(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        n, c, h, w = x.shape
        # A number of one is known when the sizes are not, as in an export.
        even, odd = ops.split(x.reshape(n, c // 2, 2, h * w), 1, 2)
        shape = (n, c // 2, h, w)
        return ops.cat((even.reshape(shape), self.branch_main(odd.reshape(shape))), 1)


class DownsamplingUnit(nn.Cell):
    """Two branches of stride 2 over all channels, side by side.

    Args:
        in_channels: channels of the input (N, in_channels, H, W), which the first branch keeps.
        out_channels: channels of the output, more than `in_channels`.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm) -> None:
        super().__init__()
        rest = out_channels - in_channels
        hidden = out_channels // 2
        self.branch_main = _main_branch(in_channels, rest, hidden=hidden, stride=2, norm=norm)
        self.branch_proj = nn.SequentialCell(
            *depthwise(in_channels, stride=2, norm=norm),
            *pointwise(in_channels, in_channels, norm=norm),
        )
        self.in_turn = in_turn(self.branch_main)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2), sizes rounded up."""
        x, projected = self.in_turn(x, self.branch_proj(x))  # an order for messages of norms
        return ops.cat((projected, self.branch_main(x)), 1)
