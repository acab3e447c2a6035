"""MobileNetV2 for re-ID (Sandler et al., "Inverted Residuals and Linear Bottlenecks")."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from mindspore import Tensor, nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, get_norm
from fastreid.utils.checkpoint.recognition.families import register_family

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .layers import Norm, conv_norm, round_channels
from .names import from_torchvision


class StageSpec(NamedTuple):
    """One stage of inverted residual blocks.

    Attributes:
        expansion: width inside the blocks as a multiple of that of their input.
        channels: width of the stage's output, before it is multiplied and rounded.
        blocks: number of blocks.
        stride: stride of the first block.
    """

    expansion: int
    channels: int
    blocks: int
    stride: int


# Table 2 of the paper.
STAGES = (
    StageSpec(1, 16, 1, 1),
    StageSpec(6, 24, 2, 2),
    StageSpec(6, 32, 3, 2),
    StageSpec(6, 64, 4, 2),
    StageSpec(6, 96, 3, 1),
    StageSpec(6, 160, 3, 2),
    StageSpec(6, 320, 1, 1),
)
_STEM_CHANNELS, _OUT_CHANNELS = 32, 1280


class Width(NamedTuple):
    """The factor of all widths, and the divisor that they are rounded to."""

    factor: float
    divisor: int = 8


# By MODEL.BACKBONE.DEPTH.
WIDTHS = {
    "1.0x": Width(1.0),
    "0.75x": Width(0.75),
    "0.5x": Width(0.5),
    "0.35x": Width(0.35),
    "0.25x": Width(0.25),
    "0.1x": Width(0.1, divisor=4),
}

_D_LI14 = "https://github.com/d-li14/mobilenetv2.pytorch/raw/master/pretrained/"
register_family("a MobileNetV2", "MODEL.BACKBONE.NAME build_mobilenetv2_backbone")
register_pretrained(
    "build_mobilenetv2_backbone",
    PretrainedRules(
        files={
            "1.0x": PublishedFile(f"{_D_LI14}mobilenetv2_1.0-0c6065bc.pth"),
            "0.75x": PublishedFile(f"{_D_LI14}mobilenetv2_0.75-dace9791.pth"),
            "0.5x": PublishedFile(f"{_D_LI14}mobilenetv2_0.5-eaa6f9ad.pth"),
            "0.35x": PublishedFile(f"{_D_LI14}mobilenetv2_0.35-b2e15951.pth"),
            "0.25x": PublishedFile(f"{_D_LI14}mobilenetv2_0.25-b61d2159.pth"),
            "0.1x": PublishedFile(f"{_D_LI14}mobilenetv2_0.1-7d1d638a.pth"),
        },
        convert=from_torchvision,
    ),
)


class InvertedResidual(nn.Cell):
    """Expand by a 1x1 convolution, filter each channel by 3x3, project by 1x1 without activation.

    The input is added where it has the shape of the output.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        expansion: width inside as a multiple of `in_channels`; 1: no expanding convolution.
        stride: stride of the 3x3 convolution.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(
        self, in_channels: int, out_channels: int, *, expansion: int, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        activated = partial(conv_norm, norm=norm, activation=nn.ReLU6)
        expand = activated(in_channels, hidden) if expansion > 1 else []
        filter_channels = activated(hidden, hidden, 3, stride=stride, groups=hidden)
        project = conv_norm(hidden, out_channels, norm=norm)
        self.conv = nn.SequentialCell([*expand, *filter_channels, *project])
        self.adds_input = stride == 1 and in_channels == out_channels

    @property
    def last_norm(self) -> nn.Cell | None:
        """The norm whose output is that of the block; None where the input is added to it."""
        return None if self.adds_input else self.conv[-1]

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        return x + self.conv(x) if self.adds_input else self.conv(x)


class MobileNetV2(nn.Cell):
    """A stem, seven stages of inverted residual blocks and a 1x1 convolution, without classifier.

    Args:
        width: factor and rounding of all widths but the last, which is at least 1280.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, width: Width = WIDTHS["1.0x"], *, norm: Norm = BatchNorm) -> None:
        super().__init__()
        activated = partial(conv_norm, norm=norm, activation=nn.ReLU6)
        channels = round_channels(_STEM_CHANNELS * width.factor, width.divisor)
        cells: list[nn.Cell] = [nn.SequentialCell(activated(3, channels, 3, stride=2))]
        for spec in STAGES:
            out_channels = round_channels(spec.channels * width.factor, width.divisor)
            block = partial(InvertedResidual, expansion=spec.expansion, norm=norm)
            for stride in (spec.stride, *[1] * (spec.blocks - 1)):
                cells.append(block(channels, out_channels, stride=stride))
                channels = out_channels
        self.features = nn.SequentialCell(cells)
        self.out_channels = round_channels(_OUT_CHANNELS * max(1.0, width.factor), width.divisor)
        self.conv = nn.SequentialCell(activated(channels, self.out_channels))

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, H / 32, W / 32)."""
        return self.conv(self.features(x))


@BACKBONE_REGISTRY.register()
def build_mobilenetv2_backbone(cfg: CfgNode) -> MobileNetV2:
    """Build the MobileNetV2 of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = spec_of_depth(WIDTHS, backbone.DEPTH, "a width of MobileNetV2")
    model = MobileNetV2(spec, norm=partial(get_norm, backbone.NORM))
    return finish_backbone(model, cfg, ignored=("LAST_STRIDE", "WITH_IBN", "WITH_SE", "WITH_NL"))
