"""The registry of backbones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from mindspore import nn

from fastreid.config import CfgNode, get_cfg
from fastreid.utils.registry import Registry

from .pretrained import load_pretrained

logger = logging.getLogger(__name__)

Spec = TypeVar("Spec")
Backbone = TypeVar("Backbone", bound=nn.Cell)

BACKBONE_REGISTRY = Registry("BACKBONE")


def build_backbone(cfg: CfgNode) -> nn.Cell:
    """Build the backbone of `MODEL.BACKBONE.NAME`.

    Args:
        cfg: the whole configuration.

    Returns:
        A cell from images (N, 3, H, W) to features (N, FEAT_DIM, h, w); where the cell declares
        `gives_paths`, to features and routing paths (N, P).
    """
    backbone = BACKBONE_REGISTRY.get(cfg.MODEL.BACKBONE.NAME)(cfg)
    if not getattr(backbone, "is_fused", False):
        warn_of_ignored(cfg, "DEPLOY")
    return backbone


def spec_of_depth(specs: Mapping[str, Spec], depth: str, network: str) -> Spec:
    """Look up the specification of a `MODEL.BACKBONE.DEPTH`.

    Args:
        specs: depth -> specification.
        depth: value of the key.
        network: the kind of network, with its article, for the message: "a ResNeXt".

    Raises:
        ValueError: for an unknown depth; the message lists the known ones.
    """
    if depth not in specs:
        raise ValueError(
            f"MODEL.BACKBONE.DEPTH {depth!r} is not {network}; it must be one of {list(specs)}."
        )
    return specs[depth]


def finish_backbone(
    model: Backbone,
    cfg: CfgNode,
    *,
    ignored: tuple[str, ...] = (),
    adapt: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
) -> Backbone:
    """Check a backbone that was built from a config, and load its ImageNet weights.

    Args:
        model: the backbone; `out_channels` is the width of its features.
        cfg: the whole configuration.
        ignored: names of options in MODEL.BACKBONE that this kind of backbone does not have.
        adapt: see `load_pretrained`.

    Returns:
        The same backbone.

    Raises:
        ValueError: if `FEAT_DIM` is not the width, or the weights do not fit.
        FileNotFoundError: if `PRETRAIN` is set and its file is missing.
    """
    warn_of_ignored(cfg, *ignored)
    check_feat_dim(cfg, model.out_channels)
    load_pretrained(model, cfg, adapt=adapt)
    return model


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


def warn_of_ignored(cfg: CfgNode, *keys: str) -> None:
    """Log one warning for options that a config sets and that its backbone does not have.

    Args:
        cfg: the whole configuration.
        *keys: names of the options in MODEL.BACKBONE, such as "WITH_SE".
    """
    options, defaults = cfg.MODEL.BACKBONE, get_cfg().MODEL.BACKBONE
    ignored = [f"{key} {options[key]}" for key in keys if options[key] != defaults[key]]
    if ignored:
        logger.warning("%s has no such option: MODEL.BACKBONE %s", options.NAME, ", ".join(ignored))
