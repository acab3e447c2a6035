"""ResNet for re-ID, with optional IBN, squeeze and excitation, and non-local blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import IBN, BatchNorm, Conv2d, StemMaxPool, get_norm

from .blocks import BasicBlock, BlockCells, Bottleneck, ResNetStage, StagedNet
from .build import BACKBONE_REGISTRY, finish_backbone
from .pretrained import register_pretrained
from .resnet_specs import IMAGENET_WEIGHTS, ResNetSpec, resnet_spec

register_pretrained("build_resnet_backbone", IMAGENET_WEIGHTS)


class ResNet(StagedNet):
    """A stem and four stages (He et al., CVPR 2016), without the classifier.

    Args:
        spec: block kind, stem width and stages.
        norm: builds a norm from its channel count.
        with_ibn: IBN in the blocks of all stages but the last (IBN-Net a).
        with_se: squeeze and excitation in every block.
    """

    # Block kind -> the block.
    blocks = {"basic": BasicBlock, "bottleneck": Bottleneck}

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
        cells = BlockCells(conv=Conv2d, norm=norm, ibn=partial(IBN, batch_norm=norm))
        stages: list[ResNetStage] = []
        channels = spec.stem_channels
        for index, stage_spec in enumerate(spec.stages):
            is_last = index == len(spec.stages) - 1
            stage = ResNetStage(
                channels,
                stage_spec,
                block=self.blocks[spec.block],
                cells=cells,
                non_local_norm=norm,
                with_ibn=with_ibn and not is_last,
                with_se=with_se,
            )
            channels = stage.out_channels
            stages.append(stage)
        self.set_stages(stages)


@BACKBONE_REGISTRY.register()
def build_resnet_backbone(cfg: CfgNode) -> ResNet:
    """Build the ResNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `FEAT_DIM` is not the width of this depth, or the weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = resnet_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE, with_nl=backbone.WITH_NL)
    model = ResNet(
        spec,
        norm=partial(get_norm, backbone.NORM),
        with_ibn=backbone.WITH_IBN,
        with_se=backbone.WITH_SE,
    )
    return finish_backbone(model, cfg)
