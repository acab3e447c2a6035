"""Vision transformers (Dosovitskiy et al., ICLR 2021)."""

from .network import VisionTransformer, ViTSpec, build_vit_backbone

__all__ = ["ViTSpec", "VisionTransformer", "build_vit_backbone"]
