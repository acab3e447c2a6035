"""What a config asks for, where several packages must agree on the answer."""

from .config import CfgNode


def is_acl(cfg: CfgNode) -> bool:
    """Tell whether a config asks for ACL: upstream's `Baseline` with its head of many domains."""
    return cfg.MODEL.HEADS.NAME == "MetaEmbeddingHead"
