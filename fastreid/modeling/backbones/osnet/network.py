"""OSNet for re-ID (Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification")."""

from __future__ import annotations

from functools import partial

from mindspore import Tensor, nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, InstanceNorm, get_norm
from fastreid.utils.checkpoint.recognition.families import register_family

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .blocks import ConvNorm, Norm, os_stage

# MODEL.BACKBONE.DEPTH -> channels of the stem and of the three stages.
WIDTHS = {
    "x1_0": (64, 256, 384, 512),
    "x0_75": (48, 192, 288, 384),
    "x0_5": (32, 128, 192, 256),
    "x0_25": (16, 64, 96, 128),
}
_BLOCKS = 2

_DRIVE = "https://drive.google.com/uc?id="
# Name of the network -> id of torchreid's ImageNet weights, which are also fast-reid's.
_IMAGENET = {
    "osnet_x1_0": "1LaG1EJpHrxdAxKnSCJ_i0u-nbxSAeiFY",
    "osnet_x0_75": "1uwA9fElHOk3ZogwbeY5GkLI6QPTX70Hq",
    "osnet_x0_5": "16DGLbZukvVYgINws8u8deSaOqjybZ83i",
    "osnet_x0_25": "1rb8UN5ZzPKRc_xvtHlyDh-cSz88YX9hs",
    "osnet_ibn_x1_0": "1sr90V6irlYYDd4_4ISU2iruoRG8J__6l",
}
register_family("an OSNet", "MODEL.BACKBONE.NAME build_osnet_backbone")
# torchreid's classifier, which its re-ID models have too: a layer `fc` and the layer `classifier`.
register_pretrained(
    "build_osnet_backbone",
    PretrainedRules(
        files={
            name: PublishedFile(_DRIVE + file, f"{name}_imagenet.pth")
            for name, file in _IMAGENET.items()
        },
        key=lambda backbone: f"osnet_{'ibn_' * backbone.WITH_IBN}{backbone.DEPTH}",
        classifiers=("fc.", "classifier."),
    ),
)


class OSNet(nn.Cell):
    """A stem, three stages of omni-scale blocks and a 1x1 convolution, without the classifier.

    Args:
        widths: channels of the stem and of the three stages.
        norm: builds a norm from its channel count.
        with_ibn: instance norm in the stem and in the blocks of the first stage (OSNet-IBN; Zhou
            et al., TPAMI 2021).
    """

    gives_paths = False

    def __init__(
        self, widths: tuple[int, int, int, int], *, norm: Norm = BatchNorm, with_ibn: bool = False
    ) -> None:
        super().__init__()
        stem, first, second, third = widths
        stem_norm = InstanceNorm if with_ibn else norm
        stage = partial(os_stage, blocks=_BLOCKS, norm=norm)
        self.conv1 = ConvNorm(3, stem, 7, stride=2, norm=stem_norm)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
        self.conv2 = stage(stem, first, with_instance_norm=with_ibn)
        self.conv3 = stage(first, second)
        self.conv4 = stage(second, third, halves=False)
        self.conv5 = ConvNorm(third, third, norm=norm)
        self.out_channels = third

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, H // 16, W // 16)."""
        x = self.maxpool(self.conv1(x))
        return self.conv5(self.conv4(self.conv3(self.conv2(x))))


@BACKBONE_REGISTRY.register()
def build_osnet_backbone(cfg: CfgNode) -> OSNet:
    """Build the OSNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = spec_of_depth(WIDTHS, backbone.DEPTH, "a width of OSNet")
    norm = partial(get_norm, backbone.NORM)
    model = OSNet(spec, norm=norm, with_ibn=backbone.WITH_IBN)
    return finish_backbone(model, cfg, ignored=("LAST_STRIDE", "WITH_SE", "WITH_NL"))
