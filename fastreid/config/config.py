"""The default configuration, and helper functions for configurations."""

from __future__ import annotations

from typing import Any

from .cfg_node import CfgNode
from .defaults import defaults


def get_cfg() -> CfgNode:
    """Return a new copy of the default configuration, not frozen."""
    return defaults()


def is_setting(word: str) -> bool:
    """Tell whether a word is the dotted name of a setting, such as "SOLVER.BASE_LR".

    Args:
        word: one word of a command line.
    """
    node: Any = get_cfg()
    for part in word.split("."):
        if not isinstance(node, CfgNode) or part not in node:
            return False
        node = node[part]
    return not isinstance(node, CfgNode)


def without_pretraining(cfg: CfgNode) -> CfgNode:
    """Copy a configuration, with MODEL.BACKBONE.PRETRAIN False.

    Args:
        cfg: the whole configuration; it is left as it is.

    Returns:
        A new frozen configuration, for a model that gets all its weights from MODEL.WEIGHTS.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.freeze()
    return cfg
