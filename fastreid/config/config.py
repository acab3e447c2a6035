"""The defaults of every setting, to be changed and frozen."""

from __future__ import annotations

from typing import Any

from .cfg_node import CfgNode
from .defaults import defaults


def get_cfg() -> CfgNode:
    """Give a fresh copy of the defaults, to be changed and frozen."""
    return defaults()


def is_setting(word: str) -> bool:
    """Tell whether a word is the dotted name of a setting, such as "SOLVER.BASE_LR".

    Args:
        word: of a command line.
    """
    node: Any = get_cfg()
    for part in word.split("."):
        if not isinstance(node, CfgNode) or part not in node:
            return False
        node = node[part]
    return not isinstance(node, CfgNode)
