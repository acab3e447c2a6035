"""RegNetX and RegNetY for re-ID (Radosavovic et al., CVPR 2020)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm, in_turn

from ..build import BACKBONE_REGISTRY, check_feat_dim
from .regnet_specs import STEM_CHANNELS, StageSpec, regnet_stages
from .squeeze_excitation import SqueezeExcitation

Norm = Callable[[int], nn.Cell]


class Stem(nn.Cell):
    """A 3x3 convolution of stride 2, a norm and a ReLU.

    Args:
        out_channels: channels of the output.
        norm: builds a norm.
    """

    def __init__(self, out_channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv = Conv2d(3, out_channels, 3, stride=2, padding=1)
        self.bn = norm(out_channels)

    def construct(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, H / 2, W / 2), sizes rounded up."""
        return ops.relu(self.bn(self.conv(x)))


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


def _stage(in_channels: int, spec: StageSpec, *, norm: Norm) -> nn.SequentialCell:
    """Build the residual blocks of a stage, named b1, b2 and so on."""
    blocks = OrderedDict()
    for number in range(1, spec.blocks + 1):
        is_first = number == 1
        blocks[f"b{number}"] = ResBottleneckBlock(
            in_channels if is_first else spec.channels,
            spec,
            stride=spec.stride if is_first else 1,
            norm=norm,
        )
    return nn.SequentialCell(blocks)


class RegNet(nn.SequentialCell):
    """A stem and stages named s1, s2 and so on, without the classifier.

    From standardized images (N, 3, H, W) to features (N, out_channels, h, w).

    Args:
        stages: the specification of each stage.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, stages: tuple[StageSpec, ...], *, norm: Norm = BatchNorm) -> None:
        cells = OrderedDict(stem=Stem(STEM_CHANNELS, norm=norm))
        channels = STEM_CHANNELS
        for number, spec in enumerate(stages, 1):
            cells[f"s{number}"] = _stage(channels, spec, norm=norm)
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
    check_feat_dim(cfg, model.out_channels)
    return model
