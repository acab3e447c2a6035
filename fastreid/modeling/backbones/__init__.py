"""Backbones: standardised images (N, 3, H, W) -> feature maps (N, C, h, w)."""

from .build import BACKBONE_REGISTRY, build_backbone
from .map_sizes import map_sizes
from .meta_dynamic_router_resnet import build_meta_dynamic_router_resnet_backbone
from .mobilenet import build_mobilenetv2_backbone
from .mobilenetv3 import build_mobilenetv3_backbone
from .osnet import build_osnet_backbone
from .regnet import build_effnet_backbone, build_regnet_backbone
from .resnest import build_resnest_backbone
from .resnet import build_resnet_backbone
from .resnet_distill import build_resnet_backbone_distill
from .resnext import build_resnext_backbone

__all__ = [
    "BACKBONE_REGISTRY",
    "build_backbone",
    "build_effnet_backbone",
    "build_meta_dynamic_router_resnet_backbone",
    "build_regnet_backbone",
    "build_resnest_backbone",
    "build_mobilenetv2_backbone",
    "build_mobilenetv3_backbone",
    "build_osnet_backbone",
    "build_resnet_backbone",
    "build_resnet_backbone_distill",
    "build_resnext_backbone",
    "map_sizes",
]
