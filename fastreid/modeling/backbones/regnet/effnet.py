"""EfficientNet for re-ID (Tan and Le, ICML 2019)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm

from ..build import BACKBONE_REGISTRY, check_feat_dim
from .effnet_specs import EffNetSpec, MBStageSpec, effnet_spec
from .squeeze_excitation import SqueezeExcitation

Norm = Callable[[int], nn.Cell]
# Hidden units of squeeze and excitation per channel of the block's input.
_SE_RATIO = 0.25


class Stem(nn.Cell):
    """A 3x3 convolution of stride 2, a norm and a swish.

    Args:
        out_channels: channels of the output.
        norm: builds a norm.
    """

    def __init__(self, out_channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv = Conv2d(3, out_channels, 3, stride=2, padding=1)
        self.bn = norm(out_channels)
        self.swish = nn.SiLU()

    def construct(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, H / 2, W / 2), sizes rounded up."""
        return self.swish(self.bn(self.conv(x)))


class MBConv(nn.Cell):
    """Inverted bottleneck: 1x1, depthwise and 1x1 convolutions, with squeeze and excitation.

    The input is added where the output has its shape. The first convolution is left out where it
    would not widen the input.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        spec: of the stage.
        stride: stride of the block.
        norm: builds a norm.
    """

    def __init__(self, in_channels: int, spec: MBStageSpec, *, stride: int, norm: Norm) -> None:
        super().__init__()
        width = in_channels * spec.expansion
        self.swish = nn.SiLU()
        self.expands = spec.expansion != 1
        if self.expands:
            self.exp = Conv2d(in_channels, width, 1)
            self.exp_bn = norm(width)
        padding = spec.kernel_size // 2
        self.dwise = Conv2d(
            width, width, spec.kernel_size, stride=stride, padding=padding, groups=width
        )
        self.dwise_bn = norm(width)
        hidden = int(in_channels * _SE_RATIO)
        self.se = SqueezeExcitation(width, hidden, activation=nn.SiLU())
        self.lin_proj = Conv2d(width, spec.channels, 1)
        self.lin_proj_bn = norm(spec.channels)
        self.has_skip = stride == 1 and in_channels == spec.channels

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride), sizes rounded up."""
        y = x
        if self.expands:
            y = self.swish(self.exp_bn(self.exp(y)))
        y = self.swish(self.dwise_bn(self.dwise(y)))
        y = self.lin_proj_bn(self.lin_proj(self.se(y)))
        return x + y if self.has_skip else y


class Head(nn.Cell):
    """The last 1x1 convolution, a norm and a swish.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        norm: builds a norm.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, 1)
        self.conv_bn = norm(out_channels)
        self.conv_swish = nn.SiLU()

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        return self.conv_swish(self.conv_bn(self.conv(x)))


def _stage(in_channels: int, spec: MBStageSpec, *, norm: Norm) -> nn.SequentialCell:
    """Build the inverted bottlenecks of a stage, named b1, b2 and so on."""
    blocks = OrderedDict()
    for number in range(1, spec.blocks + 1):
        is_first = number == 1
        blocks[f"b{number}"] = MBConv(
            in_channels if is_first else spec.channels,
            spec,
            stride=spec.stride if is_first else 1,
            norm=norm,
        )
    return nn.SequentialCell(blocks)


class EffNet(nn.SequentialCell):
    """A stem, stages named s1, s2 and so on, and a 1x1 convolution, without the classifier.

    From standardized images (N, 3, H, W) to features (N, out_channels, h, w).

    Args:
        spec: widths and stages.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, spec: EffNetSpec, *, norm: Norm = BatchNorm) -> None:
        cells = OrderedDict(stem=Stem(spec.stem_channels, norm=norm))
        channels = spec.stem_channels
        for number, stage in enumerate(spec.stages, 1):
            cells[f"s{number}"] = _stage(channels, stage, norm=norm)
            channels = stage.channels
        cells["head"] = Head(channels, spec.head_channels, norm=norm)
        super().__init__(cells)
        self.out_channels = spec.head_channels


@BACKBONE_REGISTRY.register()
def build_effnet_backbone(cfg: CfgNode) -> EffNet:
    """Build the EfficientNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = effnet_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE)
    model = EffNet(spec, norm=partial(get_norm, backbone.NORM))
    check_feat_dim(cfg, model.out_channels)
    return model
