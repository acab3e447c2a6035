from .config import CfgNode, get_cfg
from .configurable import configurable
from .recipe import is_acl, named_classes

__all__ = ["CfgNode", "configurable", "get_cfg", "is_acl", "named_classes"]
