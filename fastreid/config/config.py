"""The default configuration, and helper functions for configurations."""

from __future__ import annotations

from typing import Any

from .cfg_node import CfgNode
from .defaults import defaults


def get_cfg() -> CfgNode:
    """Return a new copy of the default configuration, not frozen.

    Examples:
        >>> from fastreid.config import get_cfg
        >>> cfg = get_cfg()
        >>> cfg.merge_from_list(["SOLVER.BASE_LR", "0.01", "INPUT.SIZE_TEST", "[384, 128]"])
        >>> cfg.SOLVER.BASE_LR, cfg.INPUT.SIZE_TEST
        (0.01, [384, 128])
    """
    return defaults()


def is_setting(word: str) -> bool:
    """Tell whether a word is the dotted name of a setting, such as "SOLVER.BASE_LR".

    Args:
        word: one word of a command line.

    Examples:
        >>> from fastreid.config import is_setting
        >>> is_setting("SOLVER.BASE_LR"), is_setting("SOLVER"), is_setting("SOLVER.LR")
        (True, False, False)
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

    Examples:
        >>> from fastreid.config import get_cfg, without_pretraining
        >>> cfg = get_cfg()
        >>> cfg.MODEL.BACKBONE.PRETRAIN = True
        >>> without_pretraining(cfg).MODEL.BACKBONE.PRETRAIN, cfg.MODEL.BACKBONE.PRETRAIN
        (False, True)
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.freeze()
    return cfg
