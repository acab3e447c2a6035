"""MobileNetV3 (Howard et al., ICCV 2019)."""

from .network import MobileNetV3, build_mobilenetv3_backbone

__all__ = ["MobileNetV3", "build_mobilenetv3_backbone"]
