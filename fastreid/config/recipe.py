"""What a config asks for, where several packages must agree on the answer."""

from __future__ import annotations

from .cfg_node import CfgNode


def is_acl(cfg: CfgNode) -> bool:
    """Tell whether a config asks for ACL: upstream's `Baseline` with its head of many domains."""
    return cfg.MODEL.HEADS.NAME == "MetaEmbeddingHead"


def without_pretraining(cfg: CfgNode) -> CfgNode:
    """Change a config so that the model does not start from ImageNet weights.

    Args:
        cfg: the whole configuration; it is left as it is.

    Returns:
        A new frozen one, for a model that gets all its weights from MODEL.WEIGHTS.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.freeze()
    return cfg


def named_classes(cfg: CfgNode) -> tuple[str, list[int]]:
    """Read the identities per source domain that a config names itself.

    Args:
        cfg: the whole configuration; CLASSES_PER_DOMAIN wins over upstream's NUM_CLASSES1 to 3.

    Returns:
        The key that names them, and one count per domain; none where the data are to decide.
    """
    heads = cfg.MODEL.HEADS
    if heads.CLASSES_PER_DOMAIN:
        return "MODEL.HEADS.CLASSES_PER_DOMAIN", list(heads.CLASSES_PER_DOMAIN)
    numbered = (heads.NUM_CLASSES1, heads.NUM_CLASSES2, heads.NUM_CLASSES3)
    return "MODEL.HEADS.NUM_CLASSES1..3", [count for count in numbered if count]
