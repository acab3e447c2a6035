"""The registry of backbones."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.registry import Registry

BACKBONE_REGISTRY = Registry("BACKBONE")


def build_backbone(cfg: CfgNode) -> nn.Cell:
    """Build the backbone that `MODEL.BACKBONE.NAME` names.

    Args:
        cfg: the whole configuration.

    Returns:
        A cell from images (N, 3, H, W) to features (N, FEAT_DIM, h, w).
    """
    return BACKBONE_REGISTRY.get(cfg.MODEL.BACKBONE.NAME)(cfg)
