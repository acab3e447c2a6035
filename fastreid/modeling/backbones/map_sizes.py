"""Sizes of a backbone's feature maps, worked out from its strides instead of by running it."""

from __future__ import annotations

from mindspore import nn

from .blocks import ResNetStage
from .meta_dynamic_router_resnet import AdaptiveStage, MetaDynamicRouterResNet
from .resnet import ResNet


def map_sizes(backbone: nn.Cell | None, height: int, width: int) -> dict[str, tuple[int, int]]:
    """Work out the size of the smallest map that each part of a backbone computes.

    Args:
        backbone: of this toolbox; of another one, or none, nothing is known.
        height: of the images, in pixels.
        width: of the images, in pixels.

    Returns:
        Name of the part ("conv1" stands for the stem), height and width of its output, in the
        order of the parts; a size of 0 where nothing is left. Empty for an unknown backbone.
    """
    if not isinstance(backbone, (ResNet, MetaDynamicRouterResNet)):
        return {}
    # 7x7 of stride 2 with 3 zeros on each side; 3x3 pooling of stride 2 that rounds up.
    size = tuple((side - 1) // 2 + 1 for side in (height, width))
    sizes = {"conv1": size}
    size = tuple(-(-(side - 3) // 2) + 1 for side in size)
    for number, stage in enumerate(backbone.stages):
        stride = _stride(stage.residual if isinstance(stage, AdaptiveStage) else stage)
        size = tuple((side - 1) // stride + 1 for side in size)
        sizes[f"stages.{number}"] = size
    return sizes


def _stride(stage: ResNetStage) -> int:
    first = stage.blocks[0]
    return max(conv.stride[0] for conv in (first.conv1, first.conv2))
