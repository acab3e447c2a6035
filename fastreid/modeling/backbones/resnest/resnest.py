"""ResNeSt for re-ID (Zhang et al., "ResNeSt: Split-Attention Networks", CVPRW 2022)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm

from ..build import BACKBONE_REGISTRY, check_feat_dim, warn_of_ignored
from ..pretrained import load_pretrained, register_pretrained
from .blocks import ResNeStStage
from .specs import IMAGENET_WEIGHTS, ResNeStSpec, resnest_spec

register_pretrained("build_resnest_backbone", IMAGENET_WEIGHTS)


class ResNeSt(nn.Cell):
    """A stem of three convolutions and four stages, without the classifier.

    Args:
        spec: width of the stem, and stages.
        norm: builds a norm from its channel count.
    """

    gives_paths = False
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
        self.stages = nn.CellList(stages)
        self.stage_strides = tuple(stage.stride for stage in stages)
        self.out_channels = channels

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, h, w)."""
        # Pooled before the ReLU, which commutes with the maximum: a quarter of the pixels.
        x = ops.relu(self.maxpool(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        return x


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
    warn_of_ignored(cfg, "WITH_IBN", "WITH_SE", "WITH_NL")
    check_feat_dim(cfg, model.out_channels)
    load_pretrained(model, cfg)
    return model
