"""ResNet that also returns the maps of its stages before their last ReLU, for distillation.

Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import IBN, BatchNorm, Conv2d, StemMaxPool, get_norm

from .blocks import BasicBlock, BlockCells, Bottleneck, ResNetStage
from .build import BACKBONE_REGISTRY, check_feat_dim, warn_of_ignored
from .pretrained import load_pretrained, register_pretrained
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


# Block kind -> the block, and the name of its last norm.
_BLOCKS = {"basic": (PreReluBasicBlock, "bn2"), "bottleneck": (PreReluBottleneck, "bn3")}


class DistillResNet(nn.Cell):
    """The features of a `ResNet` with the same parameters, and the maps before its last ReLUs.

    Args:
        spec: block kind, stem width and stages without non-local blocks.
        norm: builds a norm from its channel count.
        with_ibn: IBN in the blocks of all stages but the last (IBN-Net a).
        with_se: squeeze and excitation in every block.
    """

    gives_paths = False

    def __init__(
        self,
        spec: ResNetSpec,
        *,
        norm: Callable[[int], nn.Cell] = BatchNorm,
        with_ibn: bool = False,
        with_se: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, spec.stem_channels, 7, stride=2, padding=3)
        self.bn1 = norm(spec.stem_channels)
        self.maxpool = StemMaxPool()
        block, self.last_norm = _BLOCKS[spec.block]
        cells = BlockCells(conv=Conv2d, norm=norm, ibn=partial(IBN, batch_norm=norm))
        stages: list[ResNetStage] = []
        channels = spec.stem_channels
        for stage_spec in spec.stages:
            is_last = len(stages) == len(spec.stages) - 1
            stage = ResNetStage(
                channels,
                stage_spec,
                block=block,
                cells=cells,
                non_local_norm=norm,
                with_ibn=with_ibn and not is_last,
                with_se=with_se,
            )
            channels = stage.out_channels
            stages.append(stage)
        self.stages = nn.CellList(stages)
        self.stage_channels = tuple(stage.out_channels for stage in stages)
        self.stage_strides = tuple(stage.stride for stage in stages)
        self.out_channels = channels

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
    warn_of_ignored(cfg, "WITH_NL")
    model = DistillResNet(
        resnet_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE),
        norm=partial(get_norm, backbone.NORM),
        with_ibn=backbone.WITH_IBN,
        with_se=backbone.WITH_SE,
    )
    check_feat_dim(cfg, model.out_channels)
    load_pretrained(model, cfg)
    return model
