"""The registry of backbones."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.registry import Registry

BACKBONE_REGISTRY = Registry("BACKBONE")


def build_backbone(cfg: CfgNode) -> nn.Cell:
    """Build the backbone of `MODEL.BACKBONE.NAME`.

    Args:
        cfg: the whole configuration.

    Returns:
        A cell from images (N, 3, H, W) to features (N, FEAT_DIM, h, w); where the cell declares
        `gives_paths`, to features and routing paths (N, P).
    """
    return BACKBONE_REGISTRY.get(cfg.MODEL.BACKBONE.NAME)(cfg)
