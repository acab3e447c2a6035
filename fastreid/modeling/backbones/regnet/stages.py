"""The stem and the stages of RegNet and EfficientNet, with pycls's names of tensors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from mindspore import Tensor, nn

from fastreid.layers import Conv2d

from .effnet_specs import MBStageSpec
from .regnet_specs import StageSpec

Norm = Callable[[int], nn.Cell]


class Stem(nn.Cell):
    """A 3x3 convolution of stride 2, a norm and an activation.

    Args:
        out_channels: channels of the output.
        norm: builds a norm from its channel count.
        activation: (N, out_channels, H, W) -> the same.
    """

    def __init__(self, out_channels: int, *, norm: Norm, activation: nn.Cell) -> None:
        super().__init__()
        self.conv = Conv2d(3, out_channels, 3, stride=2, padding=1)
        self.bn = norm(out_channels)
        self.activation = activation

    def construct(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, H / 2, W / 2), sizes rounded up."""
        return self.activation(self.bn(self.conv(x)))


def build_stage(
    block: Callable[..., nn.Cell],
    in_channels: int,
    spec: StageSpec | MBStageSpec,
    *,
    norm: Norm,
) -> nn.SequentialCell:
    """Build the blocks of a stage, named b1, b2 and so on.

    Args:
        block: builds a block from its input channels and `spec`, its `stride` and `norm`.
        in_channels: channels of the stage's input (N, in_channels, H, W).
        spec: of the stage.
        norm: builds a norm from its channel count.

    Returns:
        A cell whose output is (N, channels, H / stride, W / stride), sizes rounded up.
    """
    blocks = OrderedDict(b1=block(in_channels, spec, stride=spec.stride, norm=norm))
    for number in range(2, spec.blocks + 1):
        blocks[f"b{number}"] = block(spec.channels, spec, stride=1, norm=norm)
    return nn.SequentialCell(blocks)
