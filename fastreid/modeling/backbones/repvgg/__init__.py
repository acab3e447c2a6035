"""RepVGG (Ding et al., CVPR 2021): trained with three branches a block, deployed with one."""

from .fusion import fuse_repvgg
from .network import RepVGG, build_repvgg_backbone

__all__ = ["RepVGG", "build_repvgg_backbone", "fuse_repvgg"]
