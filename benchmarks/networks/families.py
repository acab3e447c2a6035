"""The families of backbones that are measured, one member each, and all members' output widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastreid.config import CfgNode, get_cfg
from fastreid.modeling import BACKBONE_REGISTRY


class Family(NamedTuple):
    """Backbones that differ in `MODEL.BACKBONE.DEPTH` only.

    Attributes:
        backbone: registered name, the same here and in fast-reid.
        widths: MODEL.BACKBONE.DEPTH -> MODEL.BACKBONE.FEAT_DIM, of every member.
        member: the DEPTH that is timed.
        batch: images of a timed batch; None: what the command line says.
        options: further words for `merge_from_list`.
    """

    backbone: str
    widths: Mapping[str, int]
    member: str
    batch: int | None = None
    options: tuple[str, ...] = ()

    @property
    def is_registered(self) -> bool:
        """Whether this version has the backbone."""
        return self.backbone in BACKBONE_REGISTRY

    def words(self, depth: str) -> list[str]:
        """Give the words for `merge_from_list` that choose a member, without ImageNet weights."""
        return [
            *("MODEL.BACKBONE.NAME", self.backbone, "MODEL.BACKBONE.DEPTH", depth),
            *("MODEL.BACKBONE.FEAT_DIM", str(self.widths[depth])),
            *("MODEL.BACKBONE.PRETRAIN", "False"),
            *self.options,
        ]

    def config(self, depth: str) -> CfgNode:
        """Give the configuration of a member."""
        cfg = get_cfg()
        cfg.merge_from_list(self.words(depth))
        return cfg


_IBN = ("MODEL.BACKBONE.WITH_IBN", "True")
_RESNET, _BASIC = 2048, 512

# By the name in the table. The member is the published one of re-ID, or a small one.
FAMILIES = {
    "ResNet-IBN": Family(
        "build_resnet_backbone",
        {"18x": _BASIC, "34x": _BASIC, "50x": _RESNET, "101x": _RESNET},
        "50x",
        options=_IBN,
    ),
    "ResNeXt": Family(
        "build_resnext_backbone", dict.fromkeys(("50x", "101x", "152x"), _RESNET), "50x"
    ),
    "ResNeSt": Family(
        "build_resnest_backbone", dict.fromkeys(("50x", "101x", "200x", "269x"), _RESNET), "50x"
    ),
    "OSNet": Family(
        "build_osnet_backbone", {"x1_0": 512, "x0_75": 384, "x0_5": 256, "x0_25": 128}, "x1_0"
    ),
    "MobileNetV2": Family(
        "build_mobilenetv2_backbone",
        dict.fromkeys(("1.0x", "0.75x", "0.5x", "0.35x", "0.25x", "0.1x"), 1280),
        "1.0x",
    ),
    "MobileNetV3": Family("build_mobilenetv3_backbone", {"Large": 1280, "Small": 1024}, "Large"),
    "ShuffleNetV2": Family(
        "build_shufflenetv2_backbone",
        {"0.5x": 1024, "1.0x": 1024, "1.5x": 1024, "2.0x": 2048},
        "1.0x",
    ),
    "RegNetX": Family(
        "build_regnet_backbone",
        {
            **{"200x": 368, "400x": 384, "800x": 672, "1600x": 912},
            **{"3200x": 1008, "4000x": 1360, "6400x": 1624},
        },
        "800x",
    ),
    "RegNetY": Family(
        "build_regnet_backbone",
        {
            **{"200y": 368, "400y": 440, "800y": 768, "1600y": 888},
            **{"3200y": 1512, "4000y": 1088, "6400y": 1296},
        },
        "800y",
    ),
    "EfficientNet": Family(
        "build_effnet_backbone",
        {"b0": 1280, "b1": 1280, "b2": 1408, "b3": 1536, "b4": 1792, "b5": 2048},
        "b0",
    ),
    "RepVGG": Family(
        "build_repvgg_backbone",
        {
            **{"A0": 1280, "A1": 1280, "A2": 1408, "B0": 1280},
            **dict.fromkeys(("B1", "B1g2", "B1g4"), 2048),
            **dict.fromkeys(("B2", "B2g2", "B2g4", "B3", "B3g2", "B3g4"), 2560),
        },
        "A0",
    ),
    "ViT": Family("build_vit_backbone", {"small": 768, "base": 768}, "base", batch=8),
}
