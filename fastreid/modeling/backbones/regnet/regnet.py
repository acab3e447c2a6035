"""RegNetX and RegNetY for re-ID (Radosavovic et al., CVPR 2020)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm, in_turn

from ..build import BACKBONE_REGISTRY, finish_backbone
from .published import register_pycls_weights
from .regnet_specs import STEM_CHANNELS, StageSpec, regnet_stages
from .squeeze_excitation import SqueezeExcitation
from .stages import Norm, Stem, build_stage

# MODEL.BACKBONE.DEPTH -> number and name of pycls's ImageNet weights.
_IMAGENET = {
    "200x": "160905981/RegNetX-200MF",
    "400x": "160905967/RegNetX-400MF",
    "800x": "160906036/RegNetX-800MF",
    "1600x": "160990626/RegNetX-1.6GF",
    "3200x": "160906139/RegNetX-3.2GF",
    "4000x": "160906383/RegNetX-4.0GF",
    "6400x": "161116590/RegNetX-6.4GF",
    "200y": "176245422/RegNetY-200MF",
    "400y": "160906449/RegNetY-400MF",
    "800y": "160906567/RegNetY-800MF",
    "1600y": "160906681/RegNetY-1.6GF",
    "3200y": "160906834/RegNetY-3.2GF",
    "4000y": "160906838/RegNetY-4.0GF",
    "6400y": "160907112/RegNetY-6.4GF",
}
register_pycls_weights("build_regnet_backbone", _IMAGENET, family="a RegNet")


class BottleneckTransform(nn.Cell):
    """1x1, grouped 3x3 and 1x1 convolutions of one width, each with a norm.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        spec: of the stage.
        stride: stride of the 3x3 convolution.
        norm: builds a norm.
    """

    def __init__(self, in_channels: int, spec: StageSpec, *, stride: int, norm: Norm) -> None:
        super().__init__()
        width = spec.channels
        self.a = Conv2d(in_channels, width, 1)
        self.a_bn = norm(width)
        self.b = Conv2d(width, width, 3, stride=stride, padding=1, groups=spec.groups)
        self.b_bn = norm(width)
        self.se = nn.Identity()
        if spec.se_ratio:
            hidden = round(in_channels * spec.se_ratio)
            self.se = SqueezeExcitation(width, hidden, activation=nn.ReLU())
        self.c = Conv2d(width, width, 1)
        self.c_bn = norm(width)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride), sizes rounded up."""
        x = ops.relu(self.a_bn(self.a(x)))
        x = ops.relu(self.b_bn(self.b(x)))
        return self.c_bn(self.c(self.se(x)))


class ResBottleneckBlock(nn.Cell):
    """A bottleneck and its shortcut, which is a 1x1 convolution where the shape changes.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        spec: of the stage.
        stride: stride of the block.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(self, in_channels: int, spec: StageSpec, *, stride: int, norm: Norm) -> None:
        super().__init__()
        self.proj, self.bn = nn.Identity(), nn.Identity()
        if stride != 1 or in_channels != spec.channels:
            self.proj = Conv2d(in_channels, spec.channels, 1, stride=stride)
            self.bn = norm(spec.channels)
        self.f = BottleneckTransform(in_channels, spec, stride=stride, norm=norm)
        self.in_turn = in_turn(self.bn)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride), sizes rounded up."""
        x, y = self.in_turn(x, self.f(x))  # an order for messages of synchronised norms
        return ops.relu(y + self.bn(self.proj(x)))


class RegNet(nn.SequentialCell):
    """A stem and stages named s1, s2 and so on, without the classifier.

    From standardized images (N, 3, H, W) to features (N, out_channels, h, w).

    Args:
        stages: the specification of each stage.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, stages: tuple[StageSpec, ...], *, norm: Norm = BatchNorm) -> None:
        stem: nn.Cell = Stem(STEM_CHANNELS, norm=norm, activation=nn.ReLU())
        cells = OrderedDict(stem=stem)
        channels = STEM_CHANNELS
        for number, spec in enumerate(stages, 1):
            cells[f"s{number}"] = build_stage(ResBottleneckBlock, channels, spec, norm=norm)
            channels = spec.channels
        super().__init__(cells)
        self.out_channels = channels


@BACKBONE_REGISTRY.register()
def build_regnet_backbone(cfg: CfgNode) -> RegNet:
    """Build the RegNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    stages = regnet_stages(backbone.DEPTH, last_stride=backbone.LAST_STRIDE)
    model = RegNet(stages, norm=partial(get_norm, backbone.NORM))
    return finish_backbone(model, cfg, ignored=("WITH_IBN", "WITH_SE", "WITH_NL"))
