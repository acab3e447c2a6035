"""Convolution, linear layer and max-pooling with PyTorch's conventions."""

from __future__ import annotations

import math

from mindspore import Tensor, nn
from mindspore.common.initializer import Normal


class Conv2d(nn.Conv2d):
    """A 2-d convolution padded as PyTorch pads: `padding` zeros on every side.

    The weight starts as N(0, sqrt(2 / (k * k * out_channels))), ResNet's "fan out" rule
    (He et al., ICCV 2015), which is also fast-reid's.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: step of the kernel, in pixels.
        padding: zeros added on each side, in pixels.
        groups: number of channel groups that do not see each other.
        bias: whether a bias is added.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        std = math.sqrt(2.0 / (kernel_size * kernel_size * out_channels))
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            pad_mode="pad",
            padding=padding,
            group=groups,
            has_bias=bias,
            weight_init=Normal(std),
        )


class Linear(nn.Dense):
    """A linear layer without bias, as everywhere in this model family.

    The weight starts as U(-1 / sqrt(in), 1 / sqrt(in)), PyTorch's rule, unless `init_std` asks
    for N(0, init_std).

    Args:
        in_features: D of the input (N, D).
        out_features: width of the output (N, out_features).
        init_std: standard deviation of a normal start instead, as classifiers use.
    """

    def __init__(
        self, in_features: int, out_features: int, *, init_std: float | None = None
    ) -> None:
        weight_init = None if init_std is None else Normal(init_std)
        super().__init__(in_features, out_features, weight_init=weight_init, has_bias=False)


class StemMaxPool(nn.Cell):
    """3x3 max-pooling of stride 2, unpadded, the last window cut at the border (ceil_mode).

    Halves H and W, rounding up; differs from padding "same" on odd sizes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=0, ceil_mode=True)

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil((H - 3) / 2) + 1, the same of W)."""
        return self.pool(x)
