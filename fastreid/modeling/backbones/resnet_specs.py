"""Specifications of ResNets: the stages of each depth, non-local blocks, ImageNet weights."""

from __future__ import annotations

from typing import NamedTuple

from fastreid.config import CfgNode

from .build import spec_of_depth
from .pretrained import PretrainedRules, PublishedFile


class StageSpec(NamedTuple):
    """One residual stage.

    Attributes:
        planes: width of the 3x3 convolutions.
        blocks: number of residual blocks.
        stride: stride of the first block.
        non_local: number of non-local blocks in the stage, after its last blocks.
    """

    planes: int
    blocks: int
    stride: int
    non_local: int


class ResNetSpec(NamedTuple):
    """A whole ResNet: block kind ("basic" or "bottleneck"), stem width and stages."""

    block: str
    stem_channels: int
    stages: tuple[StageSpec, ...]


class _Depth(NamedTuple):
    block: str
    stem_channels: int
    planes: tuple[int, ...]
    blocks: tuple[int, ...]
    non_local: tuple[int, ...]


_PLANES = (64, 128, 256, 512)
_DEPTHS = {
    # A few narrow blocks: for tests and demonstrations, not for results on real data.
    "tiny": _Depth("bottleneck", 32, (16, 32, 64, 128), (2, 2, 2, 2), (0, 1, 1, 0)),
    "18x": _Depth("basic", 64, _PLANES, (2, 2, 2, 2), (0, 0, 0, 0)),
    "34x": _Depth("basic", 64, _PLANES, (3, 4, 6, 3), (0, 0, 0, 0)),
    "50x": _Depth("bottleneck", 64, _PLANES, (3, 4, 6, 3), (0, 2, 3, 0)),
    "101x": _Depth("bottleneck", 64, _PLANES, (3, 4, 23, 3), (0, 2, 9, 0)),
}


def resnet_spec(depth: str, *, last_stride: int, with_nl: bool = False) -> ResNetSpec:
    """Look up the ResNet of a `MODEL.BACKBONE.DEPTH`.

    Args:
        depth: "18x", "34x", "50x", "101x" or "tiny".
        last_stride: stride of the last stage, 1 in re-ID.
        with_nl: whether it has the non-local blocks of that depth.

    Returns:
        Its block kind, stem width and four stages.

    Raises:
        ValueError: for an unknown depth.

    Examples:
        >>> from fastreid.modeling.backbones.resnet_specs import resnet_spec
        >>> spec = resnet_spec("50x", last_stride=1)
        >>> [stage.blocks for stage in spec.stages], [stage.stride for stage in spec.stages]
        ([3, 4, 6, 3], [1, 2, 2, 1])
    """
    block, stem_channels, planes, blocks, non_local = spec_of_depth(_DEPTHS, depth, "a ResNet")
    strides = (1, 2, 2, last_stride)
    places = non_local if with_nl else (0, 0, 0, 0)
    return ResNetSpec(block, stem_channels, tuple(map(StageSpec, planes, blocks, strides, places)))


def _imagenet_key(backbone: CfgNode) -> str:
    return "se_" * backbone.WITH_SE + "ibn_" * backbone.WITH_IBN + backbone.DEPTH


_TORCHVISION = "https://download.pytorch.org/models/"
_IBN_NET = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"
_URLS = {
    "18x": _TORCHVISION + "resnet18-5c106cde.pth",
    "34x": _TORCHVISION + "resnet34-333f7ec4.pth",
    "50x": _TORCHVISION + "resnet50-19c8e357.pth",
    "101x": _TORCHVISION + "resnet101-5d3b4d8f.pth",
    "ibn_18x": _IBN_NET + "resnet18_ibn_a-2f571257.pth",
    "ibn_34x": _IBN_NET + "resnet34_ibn_a-94bc1577.pth",
    "ibn_50x": _IBN_NET + "resnet50_ibn_a-d9d0bb7b.pth",
    "ibn_101x": _IBN_NET + "resnet101_ibn_a-59ea0ac6.pth",
    "se_ibn_101x": _IBN_NET + "se_resnet101_ibn_a-fabed4e2.pth",
}
# The files of fast-reid. They lack squeeze and excitation and non-local blocks.
IMAGENET_WEIGHTS = PretrainedRules(
    files={key: PublishedFile(url) for key, url in _URLS.items()},
    key=_imagenet_key,
    optional=(r"NL_", r".*\.se\."),
)
