"""Backbones: standardised images (N, 3, H, W) -> feature maps (N, C, h, w)."""

from .build import BACKBONE_REGISTRY, build_backbone, finish_backbone, spec_of_depth
from .map_sizes import map_sizes
from .meta_dynamic_router_resnet import build_meta_dynamic_router_resnet_backbone
from .mobilenet import build_mobilenetv2_backbone
from .mobilenetv3 import build_mobilenetv3_backbone
from .osnet import build_osnet_backbone
from .pretrained import PretrainedRules, PublishedFile, register_pretrained
from .regnet import build_effnet_backbone, build_regnet_backbone
from .repvgg import build_repvgg_backbone, fuse_repvgg
from .resnest import build_resnest_backbone
from .resnet import build_resnet_backbone
from .resnet_distill import build_resnet_backbone_distill
from .resnext import build_resnext_backbone
from .shufflenet import build_shufflenetv2_backbone
from .vision_transformer import build_vit_backbone

__all__ = [
    "BACKBONE_REGISTRY",
    "PretrainedRules",
    "PublishedFile",
    "build_backbone",
    "build_effnet_backbone",
    "build_meta_dynamic_router_resnet_backbone",
    "build_regnet_backbone",
    "build_repvgg_backbone",
    "build_resnest_backbone",
    "build_mobilenetv2_backbone",
    "build_mobilenetv3_backbone",
    "build_osnet_backbone",
    "build_resnet_backbone",
    "build_resnet_backbone_distill",
    "build_resnext_backbone",
    "finish_backbone",
    "build_shufflenetv2_backbone",
    "fuse_repvgg",
    "build_vit_backbone",
    "map_sizes",
    "register_pretrained",
    "spec_of_depth",
]
