"""EfficientNet for re-ID (Tan and Le, ICML 2019)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from mindspore import Tensor, nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm

from ..build import BACKBONE_REGISTRY, finish_backbone
from .effnet_specs import EffNetSpec, MBStageSpec, effnet_spec
from .published import register_pycls_weights
from .squeeze_excitation import SqueezeExcitation
from .stages import Norm, Stem, build_stage

# Hidden units of squeeze and excitation per channel of the block's input.
_SE_RATIO = 0.25

# MODEL.BACKBONE.DEPTH -> number and name of pycls's ImageNet weights.
_IMAGENET = {
    "b0": "161305613/EN-B0",
    "b1": "161304979/EN-B1",
    "b2": "161305015/EN-B2",
    "b3": "161305060/EN-B3",
    "b4": "161305098/EN-B4",
    "b5": "161305138/EN-B5",
}
register_pycls_weights("build_effnet_backbone", _IMAGENET, family="an EfficientNet")


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

    recomputable = True

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

    @property
    def last_norm(self) -> nn.Cell | None:
        """The norm whose output is that of the block; None where the input is added to it."""
        return None if self.has_skip else self.lin_proj_bn

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


class EffNet(nn.SequentialCell):
    """A stem, stages named s1, s2 and so on, and a 1x1 convolution, without the classifier.

    From standardized images (N, 3, H, W) to features (N, out_channels, h, w).

    Args:
        spec: widths and stages.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, spec: EffNetSpec, *, norm: Norm = BatchNorm) -> None:
        stem: nn.Cell = Stem(spec.stem_channels, norm=norm, activation=nn.SiLU())
        cells = OrderedDict(stem=stem)
        channels = spec.stem_channels
        for number, stage in enumerate(spec.stages, 1):
            cells[f"s{number}"] = build_stage(MBConv, channels, stage, norm=norm)
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
    return finish_backbone(model, cfg, ignored=("WITH_IBN", "WITH_SE", "WITH_NL"))
