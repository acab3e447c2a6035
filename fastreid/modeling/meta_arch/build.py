"""The registry of whole models."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode, explicit_config
from fastreid.utils.registry import Registry

from ..recompute import recompute_blocks

META_ARCH_REGISTRY = Registry("META_ARCH")


def build_model(cfg: CfgNode) -> nn.Cell:
    """Build the model of `MODEL.META_ARCHITECTURE`.

    Args:
        cfg: the whole configuration, with the class counts filled in for training.

    Returns:
        A cell from images (N, 3, H, W) in 0..255 to features (N, D) in evaluation.

    Raises:
        KeyError: for an unknown name.
        ValueError: for a backbone and a head that do not fit together, or for MODEL.RECOMPUTE in
            another mode than graph.
    """
    cfg = explicit_config(cfg)
    model = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)(cfg)
    _check_paths(cfg, model)
    if cfg.MODEL.RECOMPUTE:
        if cfg.MODE != "graph":
            raise ValueError(
                f"MODEL.RECOMPUTE needs MODE graph, not {cfg.MODE}; set MODEL.RECOMPUTE False."
            )
        recompute_blocks(model)
    return model


def _check_paths(cfg: CfgNode, model: nn.Cell) -> None:
    """Check that a backbone gives routing paths where the model takes them, and only there.

    Backbones declare it by `gives_paths`, models by `takes_paths`; parts without the declaration
    are not checked.
    """
    gives_paths = getattr(getattr(model, "backbone", None), "gives_paths", None)
    takes_paths = getattr(model, "takes_paths", None)
    if None not in (gives_paths, takes_paths) and gives_paths != takes_paths:
        raise ValueError(
            f"MODEL.BACKBONE.NAME {cfg.MODEL.BACKBONE.NAME} and MODEL.HEADS.NAME "
            f"{cfg.MODEL.HEADS.NAME} do not go together: MetaEmbeddingHead needs "
            "build_meta_dynamic_router_resnet_backbone, EmbeddingHead build_resnet_backbone."
        )
