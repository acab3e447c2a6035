"""Specifications of ResNeSts: the stem and the stages of each depth."""

from __future__ import annotations

from typing import NamedTuple

from ..build import spec_of_depth
from ..pretrained import PretrainedRules, PublishedFile


class StageSpec(NamedTuple):
    """One stage.

    Attributes:
        planes: width of the 3x3 convolutions.
        blocks: number of blocks.
        stride: stride of the first block.
        dilation: dilation of the 3x3 convolutions in all blocks but the first.
        pools: whether the first block averages over 3x3 pixels after its split attention.
    """

    planes: int
    blocks: int
    stride: int
    dilation: int
    pools: bool


class ResNeStSpec(NamedTuple):
    """A whole ResNeSt: channels of the first two convolutions of the stem, and the stages."""

    stem_width: int
    stages: tuple[StageSpec, ...]


# DEPTH -> width of the stem and blocks of each stage.
_DEPTHS = {
    "50x": (32, (3, 4, 6, 3)),
    "101x": (64, (3, 4, 23, 3)),
    "200x": (64, (3, 24, 36, 3)),
    "269x": (64, (3, 30, 48, 8)),
}
_PLANES = (64, 128, 256, 512)
# Without its stride, the last stage sees as far by dilated convolutions.
_LAST_DILATIONS = {1: 2, 2: 1}

_RELEASE = "https://github.com/zhanghang1989/ResNeSt/releases/download/weights_step1/"
IMAGENET_WEIGHTS = PretrainedRules(
    files={
        "50x": PublishedFile(_RELEASE + "resnest50-528c19ca.pth"),
        "101x": PublishedFile(_RELEASE + "resnest101-22405ba7.pth"),
        "200x": PublishedFile(_RELEASE + "resnest200-75117900.pth"),
        "269x": PublishedFile(_RELEASE + "resnest269-0cc87c48.pth"),
    },
    family="a ResNeSt",
)


def resnest_spec(depth: str, *, last_stride: int) -> ResNeStSpec:
    """Look up the ResNeSt of a `MODEL.BACKBONE.DEPTH`.

    Args:
        depth: "50x", "101x", "200x" or "269x".
        last_stride: stride of the last stage, 1 (dilated, as in re-ID) or 2.

    Returns:
        Its stem and four stages.

    Raises:
        ValueError: for an unknown depth or stride.
    """
    stem_width, blocks = spec_of_depth(_DEPTHS, depth, "a ResNeSt")
    if last_stride not in _LAST_DILATIONS:
        raise ValueError(
            f"MODEL.BACKBONE.LAST_STRIDE is {last_stride}; a ResNeSt has one of "
            f"{sorted(_LAST_DILATIONS)}."
        )
    strides = (1, 2, 2, last_stride)
    dilations = (1, 1, 1, _LAST_DILATIONS[last_stride])
    pools = (False, True, True, True)
    stages = tuple(map(StageSpec, _PLANES, blocks, strides, dilations, pools))
    return ResNeStSpec(stem_width, stages)
