"""MobileNetV2 (Sandler et al., CVPR 2018)."""

from .network import MobileNetV2, build_mobilenetv2_backbone

__all__ = ["MobileNetV2", "build_mobilenetv2_backbone"]
