"""ShuffleNetV2 (Ma et al., ECCV 2018)."""

from .network import ShuffleNetV2, build_shufflenetv2_backbone

__all__ = ["ShuffleNetV2", "build_shufflenetv2_backbone"]
