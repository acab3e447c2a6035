"""Convolution, linear layer and max-pooling with PyTorch's conventions."""

from __future__ import annotations

import math

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal
from mindspore.ops.operations import _grad_ops

# Primitives, and few branches: every convolution pays for what it calls in compiling, and what
# looks its primitive up in a cache does not compile inside a bprop.
_cast, _depend, _shape, _transpose = ops.Cast(), ops.Depend(), ops.Shape(), ops.Transpose()


class _PointwiseInputGradient(nn.Cell):
    """The input gradient of a 1x1 convolution of stride 1, which is such a convolution too.

    The framework's own takes up to twice as long on CPU.

    Args:
        in_channels: channels of the input.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.convolve = ops.Conv2D(in_channels, 1)

    def construct(self, dout: Tensor, weight: Tensor, _input_shape: tuple[int, ...]) -> Tensor:
        """(N, out, H, W), (out, in, 1, 1), shape of the input -> (N, in, H, W)."""
        return self.convolve(dout, _transpose(weight, (1, 0, 2, 3)))


class _Convolution(nn.Cell):
    """A convolution whose gradients come in an order, and by a way, that suit memory and speed.

    The weight's gradient is computed before the input's: left to itself it waits until the end of
    the backward pass, and its map and gradient wait in memory with it. The numbers are the same.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: step of the kernel, in pixels.
        padding: zeros added on each side, in pixels.
        groups: number of channel groups that do not see each other.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        padding: int,
        groups: int,
    ) -> None:
        super().__init__()
        options = {"pad_mode": "pad", "pad": padding, "group": groups}
        self.convolve = ops.Conv2D(out_channels, kernel_size, stride=stride, **options)
        options = {**options, "pad_list": (padding,) * 4, "stride": (stride, stride)}
        self.weight_gradient = _grad_ops.Conv2DBackpropFilter(out_channels, kernel_size, **options)
        if (kernel_size, stride, padding, groups) == (1, 1, 0, 1):
            self.input_gradient = _PointwiseInputGradient(in_channels)
        else:
            self.input_gradient = ops.Conv2DBackpropInput(out_channels, kernel_size, **options)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, in, H, W), (out, in / groups, k, k) -> (N, out, H', W')."""
        return self.convolve(x, weight)

    def bprop(self, x: Tensor, weight: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the input (N, in, H, W) and of the weight (out, in / groups, k, k)."""
        dweight = self.weight_gradient(dout, x, _shape(weight))
        return self.input_gradient(_depend(dout, dweight), weight, _shape(x)), dweight


class _HalfConvolution(_Convolution):
    """A `_Convolution` that computes, and gives out, float16 in training."""

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, in, H, W), (out, in / groups, k, k) -> (N, out, H', W')."""
        if not self.training:
            return self.convolve(x, weight)
        return self.convolve(_cast(x, ms.float16), _cast(weight, ms.float16))

    def bprop(self, x: Tensor, weight: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the input and of the weight, of their types."""
        half_x, half_weight = _cast(x, ms.float16), _cast(weight, ms.float16)
        half_dout = _cast(dout, ms.float16)
        dweight = self.weight_gradient(half_dout, half_x, _shape(weight))
        dx = self.input_gradient(_depend(half_dout, dweight), half_weight, _shape(x))
        return _cast(dx, x.dtype), _cast(dweight, weight.dtype)


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
        self._convolution_of = {
            **{"in_channels": in_channels, "out_channels": out_channels},
            **{"kernel_size": kernel_size, "stride": stride, "padding": padding, "groups": groups},
        }
        # What the framework's layer calls with the input and the weight.
        self.conv2d = _Convolution(**self._convolution_of)

    def train_in_half_precision(self) -> None:
        """Compute and give out float16 in training, whatever comes in; weights stay float32."""
        self.conv2d = _HalfConvolution(**self._convolution_of)


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
        self.multiply = ops.MatMul(transpose_b=True)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return self.multiply(x, self.weight)


class StemMaxPool(nn.Cell):
    """3x3 max-pooling of stride 2, unpadded, the last window cut at the border (ceil_mode).

    Halves H and W, rounding up; differs from padding "same" on odd sizes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=0, ceil_mode=True)
        # The same where both sides are even. On CPU its forward is several times faster and its
        # backward several times slower.
        self.pool_even = nn.MaxPool2d(3, 2, pad_mode="same")

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil((H - 3) / 2) + 1, the same of W)."""
        if not self.training and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0:
            return self.pool_even(x)
        return self.pool(x)
