"""Specifications of EfficientNets: the stages of each depth.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.
"""

from __future__ import annotations

from typing import NamedTuple

from ..build import spec_of_depth

# Stages 1 to 7 of all depths: side of the depthwise kernel, stride, width before the depthwise
# convolution per channel of the block's input.
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
# The stage whose stride MODEL.BACKBONE.LAST_STRIDE sets: the last that halves the map.
_LAST_HALVING = 5


class MBStageSpec(NamedTuple):
    """One stage of inverted bottlenecks.

    Attributes:
        channels: of the output.
        blocks: number of blocks.
        kernel_size: side of the depthwise kernel.
        stride: stride of the first block.
        expansion: width of the depthwise convolution per channel of the block's input.
    """

    channels: int
    blocks: int
    kernel_size: int
    stride: int
    expansion: int


class EffNetSpec(NamedTuple):
    """A whole EfficientNet: widths of its first and last convolution, and its stages."""

    stem_channels: int
    head_channels: int
    stages: tuple[MBStageSpec, ...]


class _Depth(NamedTuple):
    stem_channels: int
    head_channels: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]


_CHANNELS = (16, 24, 40, 80, 112, 192, 320)
_DEPTHS = {
    "b0": _Depth(32, 1280, _CHANNELS, (1, 2, 2, 3, 3, 4, 1)),
    "b1": _Depth(32, 1280, _CHANNELS, (2, 3, 3, 4, 4, 5, 2)),
    "b2": _Depth(32, 1408, (16, 24, 48, 88, 120, 208, 352), (2, 3, 3, 4, 4, 5, 2)),
    "b3": _Depth(40, 1536, (24, 32, 48, 96, 136, 232, 384), (2, 3, 3, 5, 5, 6, 2)),
    "b4": _Depth(48, 1792, (24, 32, 56, 112, 160, 272, 448), (2, 4, 4, 6, 6, 8, 2)),
    "b5": _Depth(48, 2048, (24, 40, 64, 128, 176, 304, 512), (3, 5, 5, 7, 7, 9, 3)),
}


def effnet_spec(depth: str, *, last_stride: int) -> EffNetSpec:
    """Look up the EfficientNet of a `MODEL.BACKBONE.DEPTH`.

    Args:
        depth: "b0" to "b5".
        last_stride: stride of the sixth stage, 1 in re-ID.

    Returns:
        Its widths and seven stages.

    Raises:
        ValueError: for an unknown depth.
    """
    found = spec_of_depth(_DEPTHS, depth, "an EfficientNet")
    stem_channels, head_channels, channels, blocks = found
    strides = list(_STRIDES)
    strides[_LAST_HALVING] = last_stride
    stages = map(MBStageSpec, channels, blocks, _KERNELS, strides, _EXPANSIONS)
    return EffNetSpec(stem_channels, head_channels, tuple(stages))
