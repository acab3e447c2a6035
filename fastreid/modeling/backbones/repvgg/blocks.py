"""The block of RepVGG in the form that is trained and in the form that is deployed."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Uniform, initializer

from fastreid.layers import BatchNorm, Conv2d, in_turn

from .specs import BlockSpec

Norm = Callable[[int], nn.Cell]
_KERNEL = 3


def _start(spec: BlockSpec, kernel_size: int) -> Uniform:
    """U(-1 / sqrt(fan in), 1 / sqrt(fan in)), PyTorch's rule for weights of convolutions."""
    fan_in = kernel_size**2 * spec.in_channels // spec.groups
    return Uniform(1 / math.sqrt(fan_in))


def _conv_norm(spec: BlockSpec, kernel_size: int, norm: Norm) -> nn.SequentialCell:
    conv = Conv2d(
        spec.in_channels,
        spec.out_channels,
        kernel_size,
        stride=spec.stride,
        padding=kernel_size // 2,
        groups=spec.groups,
        weight_init=_start(spec, kernel_size),
    )
    return nn.SequentialCell(OrderedDict(conv=conv, bn=norm(spec.out_channels)))


class RepVGGBlock(nn.Cell):
    """The sum of a 3x3 convolution, a 1x1 convolution and the input, each with a norm; then ReLU.

    The input is added where it has the shape of the output.

    Args:
        spec: channels, stride and groups.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(self, spec: BlockSpec, *, norm: Norm = BatchNorm) -> None:
        super().__init__()
        self.adds_input = spec.keeps_shape
        if self.adds_input:
            self.rbr_identity = norm(spec.in_channels)
            self.before_identity = in_turn(self.rbr_identity)
        self.rbr_dense = _conv_norm(spec, _KERNEL, norm)
        self.rbr_1x1 = _conv_norm(spec, 1, norm)
        self.before_1x1 = in_turn(self.rbr_1x1)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        # The order is for messages of synchronised norms.
        x, y = self.before_1x1(x, self.rbr_dense(x))
        y = y + self.rbr_1x1(x)
        if self.adds_input:
            x, y = self.before_identity(x, y)
            y = y + self.rbr_identity(x)
        return ops.relu(y)


class FusedBlock(nn.Cell):
    """One 3x3 convolution and ReLU, the form of a trained `RepVGGBlock` for evaluation.

    `fuse_repvgg` computes the weight (out_channels, in_channels / groups, 3, 3) and the bias
    (out_channels,), which are random before.

    Args:
        spec: channels, stride and groups.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        shape = (spec.out_channels, spec.in_channels // spec.groups, _KERNEL, _KERNEL)
        self.fused_weight = Parameter(initializer(_start(spec, _KERNEL), shape))
        self.fused_bias = Parameter(initializer("zeros", (spec.out_channels,)))
        self.convolve = ops.Conv2D(
            spec.out_channels,
            _KERNEL,
            pad_mode="pad",
            pad=_KERNEL // 2,
            stride=spec.stride,
            group=spec.groups,
        )

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        return ops.relu(ops.bias_add(self.convolve(x, self.fused_weight), self.fused_bias))
