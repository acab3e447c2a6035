"""Architectures: images (N, 3, H, W) -> embeddings (N, D), and in training the losses."""

from .acl import ACL, Phase
from .baseline import Baseline
from .build import META_ARCH_REGISTRY, build_model
from .distiller import Distiller
from .distiller_overhaul import DistillerOverhaul
from .mgn import MGN
from .moco import MoCo

__all__ = [
    "ACL",
    "META_ARCH_REGISTRY",
    "MGN",
    "Baseline",
    "Distiller",
    "DistillerOverhaul",
    "MoCo",
    "Phase",
    "build_model",
]
