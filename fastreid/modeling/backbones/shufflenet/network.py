"""ShuffleNetV2 for re-ID (Ma et al., "Practical Guidelines for Efficient CNN Architecture Design").

The original is https://github.com/megvii-model/ShuffleNet-Series.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from mindspore import Tensor, nn
from mindspore.common.initializer import Normal

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .blocks import BasicUnit, DownsamplingUnit, Norm, pointwise


class Widths(NamedTuple):
    """Channels of the three stages and of the last convolution."""

    stages: tuple[int, int, int]
    last: int


# Table 5 of the paper, by MODEL.BACKBONE.DEPTH; all have the same stem and numbers of units.
WIDTHS = {
    "0.5x": Widths((48, 96, 192), 1024),
    "1.0x": Widths((116, 232, 464), 1024),
    "1.5x": Widths((176, 352, 704), 1024),
    "2.0x": Widths((244, 488, 976), 2048),
}
_STEM_CHANNELS = 24
_UNITS = (4, 8, 4)
_STEM_STD = 0.01
# Start value of the shift of batch norms.
_SHIFT = 1e-4

# A folder with the four files, and those of other networks.
_ONEDRIVE = "https://1drv.ms/f/s!AgaP37NGYuEXhRfQxHRseR7eSxXo"
register_pretrained(
    "build_shufflenetv2_backbone",
    PretrainedRules(
        files={
            depth: PublishedFile(_ONEDRIVE, f"ShuffleNetV2.{depth}.pth.tar") for depth in WIDTHS
        },
        family="a ShuffleNetV2",
    ),
)


class ShuffleNetV2(nn.Cell):
    """A stem, three stages of units in one sequence and a 1x1 convolution, without classifier.

    Args:
        widths: channels of the stages and of the output.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, widths: Widths = WIDTHS["1.5x"], *, norm: Norm = BatchNorm) -> None:
        super().__init__()
        channels = _STEM_CHANNELS
        stem = Conv2d(3, channels, 3, stride=2, padding=1, weight_init=Normal(_STEM_STD))
        self.first_conv = nn.SequentialCell(stem, norm(channels), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
        units: list[nn.Cell] = []
        for width, count in zip(widths.stages, _UNITS):
            units.append(DownsamplingUnit(channels, width, norm=norm))
            units += [BasicUnit(width, norm=norm) for _ in range(count - 1)]
            channels = width
        self.features = nn.SequentialCell(units)
        self.out_channels = widths.last
        self.conv_last = nn.SequentialCell(pointwise(channels, widths.last, norm=norm))

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, H / 32, W / 32)."""
        return self.conv_last(self.features(self.maxpool(self.first_conv(x))))


def _norm_of(name: str) -> Norm:
    """Choose the norm of a config; batch norms start with a small shift, others without."""
    return partial(BatchNorm, bias_init=_SHIFT) if name == "BN" else partial(get_norm, name)


@BACKBONE_REGISTRY.register()
def build_shufflenetv2_backbone(cfg: CfgNode) -> ShuffleNetV2:
    """Build the ShuffleNetV2 of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = spec_of_depth(WIDTHS, backbone.DEPTH, "a width of ShuffleNetV2")
    model = ShuffleNetV2(spec, norm=_norm_of(backbone.NORM))
    return finish_backbone(model, cfg, ignored=("LAST_STRIDE", "WITH_IBN", "WITH_SE", "WITH_NL"))
