"""MobileNetV3 for re-ID (Howard et al., "Searching for MobileNetV3")."""

from __future__ import annotations

from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, get_norm
from fastreid.utils.checkpoint.recognition.families import register_family

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from ..channel_gate import ChannelGate
from ..mobilenet.layers import Norm, conv_norm, round_channels
from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .specs import SPECS, STEM_CHANNELS, BlockSpec, MobileNetV3Spec

ACTIVATIONS = {"relu": nn.ReLU, "hardswish": nn.HSwish}
# The hidden layer of a gate is a quarter of the block's width; the last stage is 6 times as wide as
# the last block.
_GATE_REDUCTION, _LAST_EXPANSION = 4, 6

_TORCHVISION = "https://download.pytorch.org/models/"
# torchvision's networks end with a linear layer in place of the last 1x1 convolution, which
# therefore keeps its start values.
register_family("a MobileNetV3", "MODEL.BACKBONE.NAME build_mobilenetv3_backbone")
register_pretrained(
    "build_mobilenetv3_backbone",
    PretrainedRules(
        files={
            "Large": PublishedFile(f"{_TORCHVISION}mobilenet_v3_large-8738ca79.pth"),
            "Small": PublishedFile(f"{_TORCHVISION}mobilenet_v3_small-047dcff4.pth"),
        },
        optional=(r"conv\.",),
    ),
)


class InvertedResidual(nn.Cell):
    """Expand by a 1x1 convolution, filter each channel, gate the channels, project by 1x1.

    The input is added where it has the shape of the output.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        spec: widths, kernel, gate, activation and stride.
        norm: builds a norm.
    """

    recomputable = True

    def __init__(self, in_channels: int, spec: BlockSpec, *, norm: Norm) -> None:
        super().__init__()
        hidden = spec.hidden
        activated = partial(conv_norm, norm=norm, activation=ACTIVATIONS[spec.activation])
        cells: list[nn.Cell] = []
        if hidden != in_channels:
            cells.append(nn.SequentialCell(activated(in_channels, hidden)))
        filter_channels = activated(
            hidden, hidden, spec.kernel_size, stride=spec.stride, groups=hidden
        )
        cells.append(nn.SequentialCell(filter_channels))
        if spec.with_gate:
            gate_hidden = round_channels(hidden // _GATE_REDUCTION)
            cells.append(ChannelGate(hidden, gate_hidden, activation=ops.hardsigmoid))
        cells.append(nn.SequentialCell(conv_norm(hidden, spec.channels, norm=norm)))
        self.block = nn.SequentialCell(cells)
        self.adds_input = spec.stride == 1 and in_channels == spec.channels

    @property
    def last_norm(self) -> nn.Cell | None:
        """The norm whose output is that of the block; None where the input is added to it."""
        return None if self.adds_input else self.block[-1][-1]

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, spec.channels, H / stride, W / stride)."""
        return x + self.block(x) if self.adds_input else self.block(x)


class MobileNetV3(nn.Cell):
    """A stem, inverted residual blocks and two 1x1 convolutions, without the classifier.

    Args:
        spec: the blocks, and the width of the output.
        norm: builds a norm from its channel count.
    """

    gives_paths = False

    def __init__(self, spec: MobileNetV3Spec, *, norm: Norm = BatchNorm) -> None:
        super().__init__()
        hardswish = partial(conv_norm, norm=norm, activation=nn.HSwish)
        channels = STEM_CHANNELS
        cells: list[nn.Cell] = [nn.SequentialCell(hardswish(3, channels, 3, stride=2))]
        for block in spec.blocks:
            cells.append(InvertedResidual(channels, block, norm=norm))
            channels = block.channels
        wide = _LAST_EXPANSION * channels
        cells.append(nn.SequentialCell(hardswish(channels, wide)))
        self.features = nn.SequentialCell(cells)
        last = conv_norm(wide, spec.out_channels, norm=norm, activation=nn.ReLU6)
        self.conv = nn.SequentialCell(last)
        self.out_channels = spec.out_channels

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, H / 32, W / 32)."""
        return self.conv(self.features(x))


@BACKBONE_REGISTRY.register()
def build_mobilenetv3_backbone(cfg: CfgNode) -> MobileNetV3:
    """Build the MobileNetV3 of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = spec_of_depth(SPECS, backbone.DEPTH, "a MobileNetV3")
    model = MobileNetV3(spec, norm=partial(get_norm, backbone.NORM))
    return finish_backbone(model, cfg, ignored=("LAST_STRIDE", "WITH_IBN", "WITH_SE", "WITH_NL"))
