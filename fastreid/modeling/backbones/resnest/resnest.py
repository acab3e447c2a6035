"""ResNeSt for re-ID (Zhang et al., "ResNeSt: Split-Attention Networks", CVPRW 2022)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm

from ..blocks import StagedNet
from ..build import BACKBONE_REGISTRY, finish_backbone
from ..pretrained import register_pretrained
from .blocks import ResNeStStage
from .specs import IMAGENET_WEIGHTS, ResNeStSpec, resnest_spec

register_pretrained("build_resnest_backbone", IMAGENET_WEIGHTS)


class ResNeSt(StagedNet):
    """A stem of three convolutions and four stages, without the classifier.

    Args:
        spec: width of the stem, and stages.
        norm: builds a norm from its channel count.
    """

    pads_stem = True

    def __init__(self, spec: ResNeStSpec, *, norm: Callable[[int], nn.Cell] = BatchNorm) -> None:
        super().__init__()
        width, channels = spec.stem_width, 2 * spec.stem_width
        self.conv1 = nn.SequentialCell(
            Conv2d(3, width, 3, stride=2, padding=1),
            norm(width),
            nn.ReLU(),
            Conv2d(width, width, 3, padding=1),
            norm(width),
            nn.ReLU(),
            Conv2d(width, channels, 3, padding=1),
        )
        self.bn1 = norm(channels)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
        stages: list[ResNeStStage] = []
        for stage_spec in spec.stages:
            stage = ResNeStStage(channels, stage_spec, norm=norm)
            channels = stage.out_channels
            stages.append(stage)
        self.set_stages(stages)


@BACKBONE_REGISTRY.register()
def build_resnest_backbone(cfg: CfgNode) -> ResNeSt:
    """Build the ResNeSt of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` or `LAST_STRIDE` is unknown, `FEAT_DIM` is not the width of this
            network, or the weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = resnest_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE)
    model = ResNeSt(spec, norm=partial(get_norm, backbone.NORM))
    return finish_backbone(model, cfg, ignored=("WITH_IBN", "WITH_SE", "WITH_NL"))
