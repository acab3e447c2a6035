from .acl import ACL
from .baseline import Baseline, Phase
from .build import META_ARCH_REGISTRY, build_model

__all__ = ["ACL", "META_ARCH_REGISTRY", "Baseline", "Phase", "build_model"]
