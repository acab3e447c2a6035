"""The registry of whole models."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode, explicit_config
from fastreid.utils.registry import Registry

from ..recompute import recompute_blocks

META_ARCH_REGISTRY = Registry("META_ARCH")


def build_model(cfg: CfgNode) -> nn.Cell:
    """Build the model that `MODEL.META_ARCHITECTURE` names.

    Args:
        cfg: the whole configuration, with the class counts filled in for training.

    Returns:
        A cell from images (N, 3, H, W) in 0..255 to features (N, D) in evaluation.

    Raises:
        KeyError: for an unknown name.
        ValueError: for a backbone and a head that do not go together, or MODEL.RECOMPUTE outside
            of graph mode.
    """
    cfg = explicit_config(cfg)
    _check_parts(cfg)
    model = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)(cfg)
    if cfg.MODEL.RECOMPUTE:
        if cfg.MODE != "graph":
            raise ValueError(
                f"MODEL.RECOMPUTE needs MODE graph, not {cfg.MODE}; set MODEL.RECOMPUTE False."
            )
        recompute_blocks(model)
    return model


def _check_parts(cfg: CfgNode) -> None:
    """Only ACL's head takes what the router backbone gives: features and paths."""
    backbone, head = cfg.MODEL.BACKBONE.NAME, cfg.MODEL.HEADS.NAME
    gives_paths = backbone == "build_meta_dynamic_router_resnet_backbone"
    lacks_paths = backbone == "build_resnet_backbone"
    takes_paths = head == "MetaEmbeddingHead"
    if (takes_paths and lacks_paths) or (gives_paths and not takes_paths):
        raise ValueError(
            f"MODEL.BACKBONE.NAME {backbone} and MODEL.HEADS.NAME {head} do not go together: "
            "MetaEmbeddingHead needs build_meta_dynamic_router_resnet_backbone, EmbeddingHead "
            "build_resnet_backbone."
        )
    if cfg.MODEL.META_ARCHITECTURE == "ACL" and not takes_paths:
        raise ValueError(
            f"MODEL.META_ARCHITECTURE ACL needs MODEL.HEADS.NAME MetaEmbeddingHead, not {head}."
        )
