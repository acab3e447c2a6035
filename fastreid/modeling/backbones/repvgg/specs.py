"""Specifications of RepVGG: tables 2 and 3 of the paper."""

from __future__ import annotations

from typing import NamedTuple


class Design(NamedTuple):
    """One network.

    Attributes:
        blocks: number of blocks of each of the four stages after the stem.
        factors: width of each stage as a multiple of 64, 128, 256 and 512.
        groups: groups of the convolutions in every second block.
    """

    blocks: tuple[int, int, int, int]
    factors: tuple[float, float, float, float]
    groups: int = 1


class BlockSpec(NamedTuple):
    """One block.

    Attributes:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the convolutions.
        groups: groups of the convolutions.
    """

    in_channels: int
    out_channels: int
    stride: int = 1
    groups: int = 1

    @property
    def keeps_shape(self) -> bool:
        """Whether the output has the shape of the input, so that the input can be added."""
        return self.stride == 1 and self.in_channels == self.out_channels


_A, _B = (2, 4, 14, 1), (4, 6, 16, 1)
# By MODEL.BACKBONE.DEPTH.
DESIGNS = {
    "A0": Design(_A, (0.75, 0.75, 0.75, 2.5)),
    "A1": Design(_A, (1, 1, 1, 2.5)),
    "A2": Design(_A, (1.5, 1.5, 1.5, 2.75)),
    "B0": Design(_B, (1, 1, 1, 2.5)),
    "B1": Design(_B, (2, 2, 2, 4)),
    "B1g2": Design(_B, (2, 2, 2, 4), groups=2),
    "B1g4": Design(_B, (2, 2, 2, 4), groups=4),
    "B2": Design(_B, (2.5, 2.5, 2.5, 5)),
    "B2g2": Design(_B, (2.5, 2.5, 2.5, 5), groups=2),
    "B2g4": Design(_B, (2.5, 2.5, 2.5, 5), groups=4),
    "B3": Design(_B, (3, 3, 3, 5)),
    "B3g2": Design(_B, (3, 3, 3, 5), groups=2),
    "B3g4": Design(_B, (3, 3, 3, 5), groups=4),
}
_WIDTHS = (64, 128, 256, 512)
_STRIDE = 2


def repvgg_stages(design: Design, *, last_stride: int) -> list[list[BlockSpec]]:
    """List the blocks of a network.

    Args:
        design: the network.
        last_stride: stride of the last stage, 1 in re-ID.

    Returns:
        The stem as a stage of one block, and the four stages. Blocks are counted over all of them
        from 0; those with an odd number have one group.
    """
    widths = [int(width * factor) for width, factor in zip(_WIDTHS, design.factors)]
    channels = min(_WIDTHS[0], widths[0])
    stages = [[BlockSpec(3, channels, _STRIDE)]]
    number = 1
    for width, count, stride in zip(
        widths, design.blocks, (_STRIDE, _STRIDE, _STRIDE, last_stride)
    ):
        stage = []
        for step in (stride, *[1] * (count - 1)):
            groups = design.groups if number % 2 == 0 else 1
            stage.append(BlockSpec(channels, width, step, groups))
            channels = width
            number += 1
        stages.append(stage)
    return stages
