"""Convolution and linear layer with PyTorch's conventions."""

from __future__ import annotations

import math

from mindspore import nn
from mindspore.common.initializer import Normal

from .kernels import Convolution, HalfConvolution


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
        dilation: distance of neighbouring taps of the kernel, in pixels.
        groups: number of channel groups that are convolved separately.
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
        dilation: int = 1,
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
            dilation=dilation,
            group=groups,
            has_bias=bias,
            weight_init=Normal(std),
        )
        self._shape_options = {
            **{"in_channels": in_channels, "out_channels": out_channels},
            **{"kernel_size": kernel_size, "stride": stride, "padding": padding},
            **{"dilation": dilation, "groups": groups},
        }
        # `nn.Conv2d.construct` calls `conv2d` with the input and the weight.
        self.conv2d = Convolution(**self._shape_options)

    def train_in_half_precision(self) -> None:
        """Compute in float16 in training and return float16; the weight stays float32."""
        self.conv2d = HalfConvolution(**self._shape_options)


class Linear(nn.Dense):
    """A linear layer without bias, as in all models of this toolbox.

    The weight starts as U(-1 / sqrt(in), 1 / sqrt(in)), PyTorch's rule, or as N(0, init_std).

    Args:
        in_features: D of the input (N, D).
        out_features: width of the output (N, out_features).
        init_std: standard deviation of normal start values, as for classifiers; None: uniform ones.
    """

    def __init__(
        self, in_features: int, out_features: int, *, init_std: float | None = None
    ) -> None:
        weight_init = None if init_std is None else Normal(init_std)
        super().__init__(in_features, out_features, weight_init=weight_init, has_bias=False)
