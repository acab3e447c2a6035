"""Specifications of MobileNetV3: tables 1 and 2 of the paper."""

from __future__ import annotations

from typing import NamedTuple


class BlockSpec(NamedTuple):
    """One inverted residual block.

    Attributes:
        kernel_size: side of the kernel that filters each channel.
        hidden: width inside the block.
        channels: width of the output.
        with_gate: whether a channel gate follows the filter.
        activation: "relu" or "hardswish".
        stride: stride of the filter.
    """

    kernel_size: int
    hidden: int
    channels: int
    with_gate: bool
    activation: str
    stride: int


class MobileNetV3Spec(NamedTuple):
    """A whole network: its blocks, and the width of its output."""

    blocks: tuple[BlockSpec, ...]
    out_channels: int


STEM_CHANNELS = 16

# By MODEL.BACKBONE.DEPTH.
SPECS = {
    "Large": MobileNetV3Spec(
        (
            BlockSpec(3, 16, 16, False, "relu", 1),
            BlockSpec(3, 64, 24, False, "relu", 2),
            BlockSpec(3, 72, 24, False, "relu", 1),
            BlockSpec(5, 72, 40, True, "relu", 2),
            BlockSpec(5, 120, 40, True, "relu", 1),
            BlockSpec(5, 120, 40, True, "relu", 1),
            BlockSpec(3, 240, 80, False, "hardswish", 2),
            BlockSpec(3, 200, 80, False, "hardswish", 1),
            BlockSpec(3, 184, 80, False, "hardswish", 1),
            BlockSpec(3, 184, 80, False, "hardswish", 1),
            BlockSpec(3, 480, 112, True, "hardswish", 1),
            BlockSpec(3, 672, 112, True, "hardswish", 1),
            BlockSpec(5, 672, 160, True, "hardswish", 2),
            BlockSpec(5, 960, 160, True, "hardswish", 1),
            BlockSpec(5, 960, 160, True, "hardswish", 1),
        ),
        1280,
    ),
    "Small": MobileNetV3Spec(
        (
            BlockSpec(3, 16, 16, True, "relu", 2),
            BlockSpec(3, 72, 24, False, "relu", 2),
            BlockSpec(3, 88, 24, False, "relu", 1),
            BlockSpec(5, 96, 40, True, "hardswish", 2),
            BlockSpec(5, 240, 40, True, "hardswish", 1),
            BlockSpec(5, 240, 40, True, "hardswish", 1),
            BlockSpec(5, 120, 48, True, "hardswish", 1),
            BlockSpec(5, 144, 48, True, "hardswish", 1),
            BlockSpec(5, 288, 96, True, "hardswish", 2),
            BlockSpec(5, 576, 96, True, "hardswish", 1),
            BlockSpec(5, 576, 96, True, "hardswish", 1),
        ),
        1024,
    ),
}
