"""Convolution and linear layer with PyTorch's conventions."""

from __future__ import annotations

import math
from typing import Union

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal

from .conv_kernels import Convolution, ConvShape, HalfConvolution

# A number for height and width, or one for each.
Size = Union[int, tuple[int, int]]


class Conv2d(nn.Conv2d):
    """A 2-d convolution padded as PyTorch pads: `padding` zeros on every side.

    By default the weight starts as N(0, sqrt(2 / (k * k * out_channels))), ResNet's "fan out" rule
    (He et al., ICCV 2015), which is also fast-reid's, and the bias as U(-b, b), b = 1 / sqrt(fan
    in), which is PyTorch's. Sizes in pixels are one number, or a pair for height and width.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        kernel_size: size of the kernel.
        stride: step of the kernel.
        padding: zeros added on each side.
        dilation: distance of neighbouring points of the kernel.
        groups: number of channel groups that are convolved separately.
        bias: whether a bias is added.
        weight_init: start value of the weight (out_channels, in_channels / groups, k, k).
        bias_init: start value of the bias (out_channels,).

    Raises:
        ValueError: if `groups` does not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = False,
        weight_init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
    ) -> None:
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{groups} groups do not divide {in_channels} and {out_channels} channels; choose "
                "a divisor of both."
            )
        shape = ConvShape(
            in_channels,
            out_channels,
            kernel_size=_pair(kernel_size),
            stride=_pair(stride),
            padding=_pair(padding),
            dilation=_pair(dilation),
            groups=groups,
        )
        std = math.sqrt(2.0 / (math.prod(shape.kernel_size) * out_channels))
        super().__init__(
            in_channels,
            out_channels,
            shape.kernel_size,
            stride=shape.stride,
            pad_mode="pad",
            padding=shape.pads,
            dilation=shape.dilation,
            group=groups,
            has_bias=bias,
            weight_init=Normal(std) if weight_init is None else weight_init,
            bias_init=bias_init,
        )
        self._shape = shape
        # `nn.Conv2d.construct` calls `conv2d` with the input and the weight.
        self.conv2d = Convolution(shape)

    def train_in_half_precision(self) -> None:
        """Compute in float16 in training and return float16; the weight stays float32."""
        self.conv2d = HalfConvolution(self._shape).set_train(self.training)
        if self.has_bias:
            self.bias_add = _AddBiasOfType()


class _AddBiasOfType(nn.Cell):
    """Add a float32 bias in the type of the map."""

    def __init__(self) -> None:
        super().__init__()
        self.add = ops.BiasAdd()

    def construct(self, x: Tensor, bias: Tensor) -> Tensor:
        """(N, C, H, W), (C,) -> (N, C, H, W)."""
        return self.add(x, bias.astype(x.dtype))


class Linear(nn.Dense):
    """A linear layer, without a bias by default.

    By default the weight and the bias start as U(-1 / sqrt(in), 1 / sqrt(in)), PyTorch's rule.

    Args:
        in_features: D of the input (..., D).
        out_features: width of the output (..., out_features).
        bias: whether a bias is added.
        init_std: standard deviation of normal start values of the weight, as for classifiers;
            None: uniform ones.
        bias_init: start value of the bias (out_features,).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = False,
        init_std: float | None = None,
        bias_init: Initializer | str | None = None,
    ) -> None:
        super().__init__(
            in_features,
            out_features,
            weight_init=None if init_std is None else Normal(init_std),
            bias_init=bias_init,
            has_bias=bias,
        )


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
