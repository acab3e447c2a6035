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


def check_feat_dim(cfg: CfgNode, out_channels: int) -> None:
    """Check that `MODEL.BACKBONE.FEAT_DIM` is the width of the backbone.

    Args:
        cfg: the whole configuration.
        out_channels: the width.

    Raises:
        ValueError: if it is not.
    """
    options = cfg.MODEL.BACKBONE
    if out_channels != options.FEAT_DIM:
        raise ValueError(
            f"MODEL.BACKBONE.FEAT_DIM is {options.FEAT_DIM}, but DEPTH {options.DEPTH!r} gives "
            f"{out_channels} channels; set it to {out_channels}."
        )
