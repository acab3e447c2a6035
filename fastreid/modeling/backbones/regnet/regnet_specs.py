"""Specifications of RegNets: the design parameters of each depth, and the stages they generate.

Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, section 3.3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..build import spec_of_depth

STEM_CHANNELS = 32
_STRIDE = 2
# All widths are multiples of this.
_QUANTUM = 8
# Hidden units of squeeze and excitation (RegNetY) per channel of the block's input.
_SE_RATIO = 0.25


class StageSpec(NamedTuple):
    """One stage.

    Attributes:
        channels: width of all convolutions.
        blocks: number of residual blocks.
        stride: stride of the first block.
        groups: groups of the 3x3 convolutions.
        se_ratio: hidden units of squeeze and excitation per channel of the block's input; 0: none.
    """

    channels: int
    blocks: int
    stride: int
    groups: int
    se_ratio: float


class _Design(NamedTuple):
    """The parameters of a RegNet, with the paper's names in brackets.

    Attributes:
        blocks: number of blocks of all stages together (d).
        width: of the first block before quantization (w_0).
        slope: how much wider each further block is (w_a).
        ratio: between the widths of consecutive stages (w_m).
        group_width: channels of a group (g).
    """

    blocks: int
    width: int
    slope: float
    ratio: float
    group_width: int


# MODEL.BACKBONE.DEPTH, the million multiplications of an image of 224x224 with "x" or, with squeeze
# and excitation, "y" -> the design in the paper's tables 3 and 4.
_DESIGNS = {
    "200x": _Design(13, 24, 36.44, 2.49, 8),
    "400x": _Design(22, 24, 24.48, 2.54, 16),
    "800x": _Design(16, 56, 35.73, 2.28, 16),
    "1600x": _Design(18, 80, 34.01, 2.25, 24),
    "3200x": _Design(25, 88, 26.31, 2.25, 48),
    "4000x": _Design(23, 96, 38.65, 2.43, 40),
    "6400x": _Design(17, 184, 60.83, 2.07, 56),
    "200y": _Design(13, 24, 36.44, 2.49, 8),
    "400y": _Design(16, 48, 27.89, 2.09, 8),
    "800y": _Design(14, 56, 38.84, 2.4, 16),
    "1600y": _Design(27, 48, 20.71, 2.65, 24),
    "3200y": _Design(21, 80, 42.63, 2.66, 24),
    "4000y": _Design(22, 96, 31.41, 2.24, 64),
    "6400y": _Design(25, 112, 33.22, 2.27, 72),
}


def regnet_stages(depth: str, *, last_stride: int) -> tuple[StageSpec, ...]:
    """Look up the stages of a `MODEL.BACKBONE.DEPTH`.

    Args:
        depth: such as "800y"; "x" is RegNetX, "y" RegNetY.
        last_stride: stride of the last stage, 1 in re-ID.

    Returns:
        The four stages.

    Raises:
        ValueError: for an unknown depth.
    """
    design = spec_of_depth(_DESIGNS, depth, "a RegNet")
    se_ratio = _SE_RATIO if depth.endswith("y") else 0.0
    widths, blocks = np.unique(_block_widths(design), return_counts=True)
    strides = [_STRIDE] * (len(widths) - 1) + [last_stride]
    stages = []
    for width, count, stride in zip(widths.tolist(), blocks.tolist(), strides):
        group_width = min(design.group_width, width)
        groups = round(width / group_width)
        stages.append(StageSpec(groups * group_width, count, stride, groups, se_ratio))
    return tuple(stages)


def _block_widths(design: _Design) -> np.ndarray:
    """Compute the width of each block (blocks,): a line, quantized to few values (eq. 2 to 4)."""
    line = design.width + design.slope * np.arange(design.blocks)
    exponents = np.round(np.log(line / design.width) / np.log(design.ratio))
    widths = design.width * design.ratio**exponents
    return (np.round(widths / _QUANTUM) * _QUANTUM).astype(int)
