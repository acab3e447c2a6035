"""ResNeXt 32x4d for re-ID (Xie et al., CVPR 2017), with optional IBN and non-local blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import IBN, BatchNorm, Conv2d, get_norm

from .blocks import BlockCells, GroupedBottleneck, ResNetStage, StagedNet
from .build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from .pretrained import PretrainedRules, PublishedFile, register_pretrained
from .pretrained.rules import Shapes, Weights
from .resnet_specs import StageSpec

# DEPTH -> blocks of each stage.
_BLOCKS = {"50x": (3, 4, 6, 3), "101x": (3, 4, 23, 3), "152x": (3, 8, 36, 3)}
_PLANES = (64, 128, 256, 512)
_NON_LOCAL = (0, 2, 3, 0)
_IBN_NET = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"
_LAST_BN1 = re.compile(r"layer4\.\d+\.bn1\.\w+")


def _without_last_norms(weights: Weights, shapes: Shapes) -> dict[str, np.ndarray]:
    """Remove the plain norms of IBN-Net's last stage, where the network here has IBN."""
    has_ibn = "layer1.0.bn1.IN.weight" in shapes
    return {k: v for k, v in weights.items() if not (has_ibn and _LAST_BN1.fullmatch(k))}


register_pretrained(
    "build_resnext_backbone",
    PretrainedRules(
        files={"ibn_101x": PublishedFile(_IBN_NET + "resnext101_ibn_a-6ace051d.pth")},
        key=lambda backbone: "ibn_" * backbone.WITH_IBN + backbone.DEPTH,
        optional=(r"NL_", r"layer4\.\d+\.bn1\.(IN|BN)\."),
        convert=_without_last_norms,
        family="a ResNeXt",
    ),
)


class ResNeXt(StagedNet):
    """A stem and four stages, without the classifier.

    Args:
        stages: width, blocks, stride and non-local blocks of each stage.
        norm: builds a norm from its channel count.
        with_ibn: IBN in the blocks of all stages, the last included.
    """

    pads_stem = True
    stem_channels = 64

    def __init__(
        self,
        stages: tuple[StageSpec, ...],
        *,
        norm: Callable[[int], nn.Cell] = BatchNorm,
        with_ibn: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, self.stem_channels, 7, stride=2, padding=3)
        self.bn1 = norm(self.stem_channels)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
        cells = BlockCells(conv=Conv2d, norm=norm, ibn=partial(IBN, batch_norm=norm))
        built: list[ResNetStage] = []
        channels = self.stem_channels
        for spec in stages:
            stage = ResNetStage(
                channels,
                spec,
                block=GroupedBottleneck,
                cells=cells,
                non_local_norm=norm,
                with_ibn=with_ibn,
            )
            channels = stage.out_channels
            built.append(stage)
        self.set_stages(built)


def resnext_stages(depth: str, *, last_stride: int, with_nl: bool = False) -> tuple[StageSpec, ...]:
    """Look up the stages of a `MODEL.BACKBONE.DEPTH`.

    Args:
        depth: "50x", "101x" or "152x".
        last_stride: stride of the last stage, 1 in re-ID.
        with_nl: whether stages 2 and 3 have non-local blocks.

    Returns:
        The four stages.

    Raises:
        ValueError: for an unknown depth.
    """
    blocks = spec_of_depth(_BLOCKS, depth, "a ResNeXt")
    strides = (1, 2, 2, last_stride)
    non_local = _NON_LOCAL if with_nl else (0, 0, 0, 0)
    return tuple(map(StageSpec, _PLANES, blocks, strides, non_local))


@BACKBONE_REGISTRY.register()
def build_resnext_backbone(cfg: CfgNode) -> ResNeXt:
    """Build the ResNeXt of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this network, or the
            weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    model = ResNeXt(
        resnext_stages(backbone.DEPTH, last_stride=backbone.LAST_STRIDE, with_nl=backbone.WITH_NL),
        norm=partial(get_norm, backbone.NORM),
        with_ibn=backbone.WITH_IBN,
    )
    return finish_backbone(model, cfg, ignored=("WITH_SE",))
