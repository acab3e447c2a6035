"""The registry of heads: what turns a feature map into an embedding and its logits."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.registry import Registry

REID_HEADS_REGISTRY = Registry("HEADS")


def build_heads(cfg: CfgNode) -> nn.Cell:
    """Build the head that `MODEL.HEADS.NAME` names."""
    return REID_HEADS_REGISTRY.get(cfg.MODEL.HEADS.NAME)(cfg)
