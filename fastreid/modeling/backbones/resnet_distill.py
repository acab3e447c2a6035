"""ResNet that also returns the maps of its stages before their last ReLU, for distillation.

Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import get_norm

from .blocks import BasicBlock, Bottleneck
from .build import BACKBONE_REGISTRY, finish_backbone
from .pretrained import register_pretrained
from .resnet import ResNet
from .resnet_specs import IMAGENET_WEIGHTS, ResNetSpec, resnet_spec

register_pretrained("build_resnet_backbone_distill", IMAGENET_WEIGHTS)


class PreReluBasicBlock(BasicBlock):
    """A `BasicBlock` with its last ReLU moved to the input of the next block."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) of any sign -> (N, planes, H / stride, W / stride)."""
        return super().construct(ops.relu(x))

    def add_shortcut(self, y: Tensor, x: Tensor) -> Tensor:
        """Add the shortcut of x (N, C, H, W) to the branch y (N, C', H', W')."""
        return self.sum_with_shortcut(y, x)


class PreReluBottleneck(Bottleneck):
    """A `Bottleneck` with its last ReLU moved to the input of the next block."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) of any sign -> (N, 4 * planes, H / stride, W / stride)."""
        return super().construct(ops.relu(x))

    def add_shortcut(self, y: Tensor, x: Tensor) -> Tensor:
        """Add the shortcut of x (N, C, H, W) to the branch y (N, C', H', W')."""
        return self.sum_with_shortcut(y, x)


# Block kind -> the name of its last norm.
_LAST_NORMS = {"basic": "bn2", "bottleneck": "bn3"}


class DistillResNet(ResNet):
    """The features of a `ResNet` with the same parameters, and the maps before its last ReLUs.

    Args:
        spec: block kind, stem width and stages without non-local blocks.
        **options: as of `ResNet`.
    """

    blocks = {"basic": PreReluBasicBlock, "bottleneck": PreReluBottleneck}

    def __init__(self, spec: ResNetSpec, **options: Any) -> None:
        super().__init__(spec, **options)
        self.last_norm = _LAST_NORMS[spec.block]
        self.stage_channels = tuple(stage.out_channels for stage in self.stages)

    def stage_norms(self) -> list[nn.Cell]:
        """Return the last norm of each stage, which precedes the sum that `stage_maps` returns."""
        return [getattr(stage.blocks[-1], self.last_norm) for stage in self.stages]

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of all stages before their last ReLU.

        Args:
            x: standardized images (N, 3, H, W).

        Returns:
            For each stage (N, C, h, w); the ReLU of the last one is the feature map.
        """
        x = self.maxpool(self.bn1(self.conv1(x)))  # the first block begins with the ReLU
        maps: tuple[Tensor, ...] = ()
        for stage in self.stages:
            x = stage(x)
            maps = maps + (x,)
        return maps

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, h, w)."""
        return ops.relu(self.stage_maps(x)[-1])


@BACKBONE_REGISTRY.register()
def build_resnet_backbone_distill(cfg: CfgNode) -> DistillResNet:
    """Build the ResNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `FEAT_DIM` is not the width of this depth, or the weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    model = DistillResNet(
        resnet_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE),
        norm=partial(get_norm, backbone.NORM),
        with_ibn=backbone.WITH_IBN,
        with_se=backbone.WITH_SE,
    )
    return finish_backbone(model, cfg, ignored=("WITH_NL",))
