"""Sizes of a backbone's feature maps, computed from its strides without running it."""

from __future__ import annotations

from mindspore import nn


def map_sizes(backbone: nn.Cell | None, height: int, width: int) -> dict[str, tuple[int, int]]:
    """Compute the size of the smallest map of each part of a backbone.

    Args:
        backbone: a backbone with ResNet's stem that declares `stage_strides`, and `pads_stem` where
            its pooling pads one pixel; or any other, or None, with an empty result.
        height: height of the images, in pixels.
        width: width of the images, in pixels.

    Returns:
        Name of the part ("conv1" stands for the stem), height and width of its output, in the
        order of the parts; a size of 0 where no pixel is left. Empty for an unknown backbone.
    """
    strides = getattr(backbone, "stage_strides", None)
    if strides is None:
        return {}
    # The stem: a convolution of stride 2 that covers all pixels; 3x3 pooling of stride 2, which
    # rounds up without padding.
    height, width = (height - 1) // 2 + 1, (width - 1) // 2 + 1
    sizes = {"conv1": (height, width)}
    if getattr(backbone, "pads_stem", False):
        height, width = (height - 1) // 2 + 1, (width - 1) // 2 + 1
    else:
        height, width = -(-(height - 3) // 2) + 1, -(-(width - 3) // 2) + 1
    for number, stride in enumerate(strides):
        height, width = (height - 1) // stride + 1, (width - 1) // stride + 1
        sizes[f"stages.{number}"] = (height, width)
    return sizes
