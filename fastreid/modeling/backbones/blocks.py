"""Residual blocks and stages of the plain ResNet and of ACL's dynamic-router ResNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mindspore import Tensor, nn, ops

from fastreid.layers import Non_local, SELayer, in_turn
from fastreid.utils.checkpoint.name_rules import register_names

from .resnet_specs import StageSpec

register_names({"stages.{i}.blocks": "layer{n}", "stages.{i}.non_local": "NL_{n}"})


class BlockCells(NamedTuple):
    """The kinds of layer in a block: each builds a cell from its channel counts."""

    conv: Callable[..., nn.Cell]
    norm: Callable[..., nn.Cell]
    ibn: Callable[[int], nn.Cell]


class ResidualBlock(nn.Cell):
    """The last step of a residual block: the sum of a branch of convolutions and a shortcut."""

    recomputable = True

    def set_shortcut(self, channels: int, *, with_se: bool, downsample: nn.Cell | None) -> None:
        """Build the layers of the sum.

        Args:
            channels: channels of the branch's output.
            with_se: squeeze and excitation of the branch.
            downsample: the shortcut where input and output differ in shape; None: the input.
        """
        self.se = SELayer(channels) if with_se else nn.Identity()
        self.downsample = nn.Identity() if downsample is None else downsample
        self.in_turn = in_turn(self.downsample)

    def add_shortcut(self, y: Tensor, x: Tensor) -> Tensor:
        """Add the shortcut of the block's input x (N, C, H, W) to the branch y (N, C', H', W')."""
        return ops.relu(self.sum_with_shortcut(y, x))

    def sum_with_shortcut(self, y: Tensor, x: Tensor) -> Tensor:
        """Compute the same without the last ReLU."""
        y = self.se(y)
        x, y = self.in_turn(x, y)  # an order for messages of synchronised norms
        return y + self.downsample(x)


class StagedNet(nn.Cell):
    """The frame of a ResNet: a stem, which a subclass sets, and stages in sequence.

    A subclass sets `conv1`, `bn1` and `maxpool`, then calls `set_stages`.
    """

    gives_paths = False

    def set_stages(self, stages: Sequence[nn.Cell]) -> None:
        """Store the stages, their strides and the width of the last one.

        Args:
            stages: cells with `stride` and `out_channels`.
        """
        self.stages = nn.CellList(stages)
        self.stage_strides = tuple(stage.stride for stage in stages)
        self.out_channels = stages[-1].out_channels

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, h, w)."""
        # Pooled before the ReLU, which commutes with the maximum: a quarter of the pixels.
        x = ops.relu(self.maxpool(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        return x


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions and a shortcut (ResNet18/34; He et al., CVPR 2016).

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        planes: channels of the output.
        cells: the kinds of layer.
        stride: stride of the first convolution.
        with_ibn: IBN as the first norm.
        with_se: squeeze and excitation before the sum with the shortcut.
        downsample: the shortcut where input and output differ in shape; None: the input.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        planes: int,
        *,
        cells: BlockCells,
        stride: int = 1,
        with_ibn: bool = False,
        with_se: bool = False,
        downsample: nn.Cell | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = cells.conv(in_channels, planes, 3, stride=stride, padding=1)
        self.bn1 = cells.ibn(planes) if with_ibn else cells.norm(planes)
        self.conv2 = cells.conv(planes, planes, 3, padding=1)
        self.bn2 = cells.norm(planes)
        self.set_shortcut(planes, with_se=with_se, downsample=downsample)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, planes, H / stride, W / stride)."""
        y = ops.relu(self.bn1(self.conv1(x)))
        return self.add_shortcut(self.bn2(self.conv2(y)), x)


class Bottleneck(ResidualBlock):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (ResNet50 and deeper).

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        planes: channels of the 3x3 convolution where it has one group; the output has 4 * planes.
        cells: the kinds of layer.
        stride: stride of the 3x3 convolution.
        with_ibn: IBN as the first norm.
        with_se: squeeze and excitation before the sum with the shortcut.
        downsample: the shortcut where input and output differ in shape; None: the input.
    """

    expansion = 4
    # Of the 3x3 convolution: groups, and channels of a group where `planes` is 64.
    groups = 1
    group_width = 64

    def __init__(
        self,
        in_channels: int,
        planes: int,
        *,
        cells: BlockCells,
        stride: int = 1,
        with_ibn: bool = False,
        with_se: bool = False,
        downsample: nn.Cell | None = None,
    ) -> None:
        super().__init__()
        out_channels = planes * self.expansion
        width = planes * self.group_width // 64 * self.groups
        self.conv1 = cells.conv(in_channels, width, 1)
        self.bn1 = cells.ibn(width) if with_ibn else cells.norm(width)
        self.conv2 = cells.conv(width, width, 3, stride=stride, padding=1, groups=self.groups)
        self.bn2 = cells.norm(width)
        self.conv3 = cells.conv(width, out_channels, 1)
        self.bn3 = cells.norm(out_channels)
        self.set_shortcut(out_channels, with_se=with_se, downsample=downsample)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 * planes, H / stride, W / stride)."""
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        return self.add_shortcut(self.bn3(self.conv3(y)), x)


class GroupedBottleneck(Bottleneck):
    """A `Bottleneck` whose 3x3 convolution has 32 groups (ResNeXt 32x4d; Xie et al., CVPR 2017)."""

    groups = 32
    group_width = 4


def residual_blocks(
    in_channels: int,
    spec: StageSpec,
    *,
    block: type[nn.Cell],
    cells: BlockCells,
    with_ibn: bool = False,
    with_se: bool = False,
) -> list[nn.Cell]:
    """Build the residual blocks of a stage, in their order.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        spec: width, number of blocks, stride.
        block: `BasicBlock` or `Bottleneck`.
        cells: the kinds of layer.
        with_ibn: IBN as the first norm of every block.
        with_se: squeeze and excitation in every block.

    Returns:
        The blocks; the last one gives (N, planes * expansion, H / stride, W / stride).
    """
    out_channels = spec.planes * block.expansion
    downsample = None
    if spec.stride != 1 or in_channels != out_channels:
        downsample = nn.SequentialCell(
            cells.conv(in_channels, out_channels, 1, stride=spec.stride),
            cells.norm(out_channels),
        )
    options = {"cells": cells, "with_ibn": with_ibn, "with_se": with_se}
    first = block(in_channels, spec.planes, stride=spec.stride, downsample=downsample, **options)
    return [first, *(block(out_channels, spec.planes, **options) for _ in range(spec.blocks - 1))]


class ResNetStage(nn.Cell):
    """Residual blocks in sequence; a non-local block follows each of the last ones.

    Args:
        in_channels: channels of the input.
        spec: width, number of blocks, stride, non-local blocks.
        block: `BasicBlock`, `Bottleneck` or `GroupedBottleneck`.
        cells: the kinds of layer.
        non_local_norm: builds the norm of a non-local block.
        with_ibn: IBN as the first norm of every block.
        with_se: squeeze and excitation in every block.
    """

    def __init__(
        self,
        in_channels: int,
        spec: StageSpec,
        *,
        block: type[nn.Cell],
        cells: BlockCells,
        non_local_norm: Callable[[int], nn.Cell],
        with_ibn: bool = False,
        with_se: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = spec.planes * block.expansion
        self.stride = spec.stride
        self.blocks = nn.CellList(
            residual_blocks(
                in_channels, spec, block=block, cells=cells, with_ibn=with_ibn, with_se=with_se
            )
        )
        self.non_local = nn.CellList(
            [Non_local(self.out_channels, norm=non_local_norm) for _ in range(spec.non_local)]
        )
        self.first_non_local = spec.blocks - spec.non_local

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index >= self.first_non_local:
                x = self.non_local[index - self.first_non_local](x)
        return x
