"""Convolutions with gradients written for speed and memory on CPU.

Each computes the same numbers as the framework's convolution; docs/performance.md says what was
measured.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops.functional import isconstant

from .kernels import (
    ExchangeChannels,
    cast,
    convolution_weight_gradient,
    depend,
    matmul,
    reshape,
    shape,
    transpose,
)

_mirrored = ops.ReverseV2([2, 3])
# Measured with 32 groups and with one group a channel; few groups gain little.
_MANY_GROUPS = 8
# A depthwise convolution is multiplied out where its matrix has at most this many elements for each
# image and tap of the kernel, and at most the second number in all. Measured with 3x3 and 5x5.
_ELEMENTS_PER_TAP, _MOST_ELEMENTS = 42, 128 * 128


class ConvShape(NamedTuple):
    """Channels and sizes of a convolution; pairs are (height, width), in pixels.

    Attributes:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        kernel_size: size of the kernel.
        stride: step of the kernel.
        padding: zeros added on each side.
        dilation: distance of neighbouring points of the kernel.
        groups: number of channel groups that are convolved separately.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Zeros above, below, left and right."""
        height, width = self.padding
        return (height, height, width, width)

    def options(self) -> dict[str, Any]:
        """Give the keyword arguments of MindSpore's convolution primitives."""
        return {
            **{"pad_mode": "pad", "pad": self.pads, "group": self.groups},
            **{"stride": self.stride, "dilation": self.dilation},
        }

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1x1 convolution of stride 1 without groups."""
        return self == ConvShape(self.in_channels, self.out_channels, (1, 1))

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is convolved with one kernel of its own."""
        return 1 < self.groups == self.in_channels == self.out_channels

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output from those of the input, in pixels."""
        sides = zip((height, width), self.kernel_size, self.stride, self.padding, self.dilation)
        out = [
            (side + 2 * pad - step * (taps - 1) - 1) // stride + 1
            for side, taps, stride, pad, step in sides
        ]
        return out[0], out[1]

    def taps(self, height: int, width: int) -> Tensor:
        """Give, for each tap of the kernel, the 0-1 matrix from input to output pixels.

        Args:
            height: of the input, in pixels.
            width: of the input, in pixels.

        Returns:
            (k * k, H * W * H' * W').
        """
        by_axis = []
        for axis, (side, out) in enumerate(zip((height, width), self.output_size(height, width))):
            tap, source, target = np.ogrid[: self.kernel_size[axis], :side, :out]
            first = target * self.stride[axis] - self.padding[axis]
            by_axis.append(source == first + tap * self.dilation[axis])
        both = np.einsum("ihp,jwq->ijhwpq", *by_axis).astype(np.float32)
        return Tensor(both.reshape(math.prod(self.kernel_size), -1))

    @property
    def reversed_padding(self) -> tuple[int, int]:
        """Padding of the convolution of stride 1 from the output's gradient to the input's."""
        sides = zip(self.kernel_size, self.dilation, self.padding)
        height, width = (step * (side - 1) - pad for side, step, pad in sides)
        return height, width


class _PointwiseInputGradient(nn.Cell):
    """The input gradient of a 1x1 convolution of stride 1, computed as a forward convolution.

    On CPU the framework's own gradient takes up to twice as long.

    Args:
        in_channels: channels of the input.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.exchange = ExchangeChannels()
        self.convolve = ops.Conv2D(in_channels, 1)

    def construct(self, dout: Tensor, weight: Tensor, _input_shape: tuple[int, ...]) -> Tensor:
        """(N, out, H, W), (out, in, 1, 1), shape of the input -> (N, in, H, W)."""
        return self.convolve(dout, self.exchange(weight))


class _MirroredInputGradient(nn.Cell):
    """The input gradient of a convolution of many groups and stride 1, as a forward convolution.

    The kernels are mirrored, and within a group inputs and outputs change places. On CPU the
    framework's own gradient takes up to four times as long; without groups it is the faster one.

    Args:
        spec: the convolution.
    """

    def __init__(self, spec: ConvShape) -> None:
        super().__init__()
        self.spec = spec
        gradient = spec._replace(padding=spec.reversed_padding)
        self.convolve = ops.Conv2D(spec.in_channels, spec.kernel_size, **gradient.options())

    def construct(self, dout: Tensor, weight: Tensor, _input_shape: tuple[int, ...]) -> Tensor:
        """(N, out, H', W'), (out, in / groups, k, k), shape of the input -> (N, in, H, W)."""
        groups, k = self.spec.groups, self.spec.kernel_size
        ins, outs = self.spec.in_channels, self.spec.out_channels // groups
        by_group = reshape(weight, (groups, outs, ins // groups, *k))
        swapped = transpose(by_group, (0, 2, 1, 3, 4))
        return self.convolve(dout, _mirrored(reshape(swapped, (ins, outs, *k))))


def _input_gradient(spec: ConvShape) -> nn.Cell | ops.Primitive:
    """Choose how the gradient of the input is computed."""
    if spec.is_pointwise:
        return _PointwiseInputGradient(spec.in_channels)
    reverses = spec.stride == (1, 1) and min(spec.reversed_padding) >= 0
    if spec.groups >= _MANY_GROUPS and reverses:
        return _MirroredInputGradient(spec)
    options = {**spec.options(), "pad_list": spec.pads}
    return ops.Conv2DBackpropInput(spec.out_channels, spec.kernel_size, **options)


class Convolution(nn.Cell):
    """A convolution that computes the gradient of its weight before that of its input.

    In the framework's order the weight's gradient is computed at the end of the backward pass, and
    its input map and output gradient stay in memory until then.

    Args:
        spec: channels and sizes.
    """

    def __init__(self, spec: ConvShape) -> None:
        super().__init__()
        options = spec.options()
        self.convolve = ops.Conv2D(spec.out_channels, spec.kernel_size, **options)
        self.weight_gradient = convolution_weight_gradient(
            spec.out_channels, spec.kernel_size, pad_list=spec.pads, **options
        )
        self.input_gradient = _input_gradient(spec)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, in, H, W), (out, in / groups, k, k) -> (N, out, H', W')."""
        return self.convolve(x, weight)

    def bprop(self, x: Tensor, weight: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the input (N, in, H, W) and of the weight (out, in / groups, k, k)."""
        dweight = self.weight_gradient(dout, x, shape(weight))
        return self.input_gradient(depend(dout, dweight), weight, shape(x)), dweight


class HalfConvolution(Convolution):
    """A `Convolution` that computes in float16 in training and returns float16."""

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, in, H, W), (out, in / groups, k, k) -> (N, out, H', W')."""
        if not self.training:
            return self.convolve(x, weight)
        return self.convolve(cast(x, ms.float16), cast(weight, ms.float16))

    def bprop(self, x: Tensor, weight: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of input (N, in, H, W) and weight (out, in / groups, k, k), of their types."""
        half_x, half_weight = cast(x, ms.float16), cast(weight, ms.float16)
        half_dout = cast(dout, ms.float16)
        dweight = self.weight_gradient(half_dout, half_x, shape(weight))
        dx = self.input_gradient(depend(half_dout, dweight), half_weight, shape(x))
        return cast(dx, x.dtype), cast(dweight, weight.dtype)


class MultipliedConvolution(nn.Cell):
    """A depthwise convolution as the product of every channel's maps with the channel's matrix.

    The framework's kernel copies each row of the map once for each tap, which takes most of the
    time where rows are short.

    Args:
        spec: the convolution, a depthwise one.
    """

    def __init__(self, spec: ConvShape) -> None:
        super().__init__()
        self.taps = ops.constexpr(spec.taps)
        self.output_size = ops.constexpr(spec.output_size)
        self.product = ops.BatchMatMul()
        self.product_with_transposed = ops.BatchMatMul(transpose_b=True)
        self.transposed_product = ops.BatchMatMul(transpose_a=True)
        self.sum_by_tap = ops.MatMul(transpose_b=True)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, C, H, W), (C, 1, k, k) -> (N, C, H', W')."""
        n, c, h, w = shape(x)
        out = (n, c, *self.output_size(h, w))
        return _image_first(self.product(_channel_first(x), self.matrix(x, weight)), out)

    def bprop(self, x: Tensor, weight: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the input (N, C, H, W) and of the weight (C, 1, k, k)."""
        _, c, h, w = shape(x)
        douts = _channel_first(dout)
        # Without `depend` the compiler would reuse the transposed input and the matrix of the
        # forward pass, and keep them in memory until here.
        images = _channel_first(depend(x, dout))
        dmatrix = reshape(self.transposed_product(images, douts), (c, -1))
        dweight = reshape(self.sum_by_tap(dmatrix, self.taps(h, w)), shape(weight))
        matrix = self.matrix(x, depend(weight, dweight))
        dx = self.product_with_transposed(douts, matrix)
        return _image_first(dx, shape(x)), dweight

    def matrix(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, C, H, W), (C, 1, k, k) -> the matrix of each channel, (C, H * W, H' * W')."""
        _, c, h, w = shape(x)
        product = matmul(reshape(weight, (c, -1)), self.taps(h, w))
        return reshape(product, (c, h * w, -1))


def _channel_first(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C, N, H * W)."""
    n, c, h, w = shape(x)
    return transpose(reshape(x, (n, c, h * w)), (1, 0, 2))


def _image_first(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(C, N, H * W) -> (N, C, H, W), which is `size`."""
    return reshape(transpose(x, (1, 0, 2)), size)


class DepthwiseConvolution(nn.Cell):
    """A depthwise convolution, multiplied out where that is faster: see `MultipliedConvolution`.

    Args:
        spec: the convolution, a depthwise one.
    """

    def __init__(self, spec: ConvShape) -> None:
        super().__init__()
        # At most this many elements for each image.
        self.most_elements = _ELEMENTS_PER_TAP * math.prod(spec.kernel_size)
        self.output_size = ops.constexpr(spec.output_size)
        self.general = Convolution(spec)
        self.multiplied = MultipliedConvolution(spec)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, C, H, W), (C, 1, k, k) -> (N, C, H', W')."""
        n, _, h, w = shape(x)
        if not (isconstant(n) and isconstant(h) and isconstant(w)):
            # An exported network takes any number of images.
            return self.general(x, weight)
        out_height, out_width = self.output_size(h, w)
        elements = h * w * out_height * out_width
        if elements <= min(_MOST_ELEMENTS, n * self.most_elements):
            return self.multiplied(x, weight)
        return self.general(x, weight)


def convolution(spec: ConvShape) -> nn.Cell:
    """Build the cell of a convolution in float32: (N, in, H, W) and weight -> (N, out, H', W')."""
    on_cpu = ms.get_context("device_target") == "CPU"
    return DepthwiseConvolution(spec) if spec.is_depthwise and on_cpu else Convolution(spec)
