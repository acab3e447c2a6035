"""Models: backbones, heads and losses, each with a registry, and the architectures made of them."""

from .backbones import BACKBONE_REGISTRY, build_backbone, map_sizes
from .heads import (
    REID_HEADS_REGISTRY,
    NeckHead,
    build_heads,
    classifier_prefixes,
    unused_in_evaluation,
)
from .losses import LOSS_REGISTRY
from .meta_arch import META_ARCH_REGISTRY, Phase, build_model
from .ops import adaptor_parameters, mark_adaptor, meta_parameters
from .precision import use_half_precision

__all__ = [
    "BACKBONE_REGISTRY",
    "LOSS_REGISTRY",
    "META_ARCH_REGISTRY",
    "REID_HEADS_REGISTRY",
    "NeckHead",
    "Phase",
    "adaptor_parameters",
    "build_backbone",
    "build_heads",
    "build_model",
    "classifier_prefixes",
    "map_sizes",
    "mark_adaptor",
    "meta_parameters",
    "unused_in_evaluation",
    "use_half_precision",
]
