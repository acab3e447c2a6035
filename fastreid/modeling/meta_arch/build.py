"""The registry of whole models."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode, is_acl
from fastreid.utils.registry import Registry

META_ARCH_REGISTRY = Registry("META_ARCH")


def build_model(cfg: CfgNode) -> nn.Cell:
    """Build the model that `MODEL.META_ARCHITECTURE` names.

    "Baseline" with HEADS.NAME "MetaEmbeddingHead" is ACL, as in upstream's configs.

    Args:
        cfg: the whole configuration, with the class counts filled in for training.

    Returns:
        A cell from images (N, 3, H, W) in 0..255 to features (N, D) in evaluation.
    """
    name = cfg.MODEL.META_ARCHITECTURE
    if name == "Baseline" and is_acl(cfg):
        name = "ACL"
    return META_ARCH_REGISTRY.get(name)(cfg)
