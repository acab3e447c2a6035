from .cfg_node import CfgNode
from .config import get_cfg, is_setting
from .configurable import configurable
from .loading import load_config, load_stored_config
from .modules import import_modules, imported_files, make_importable
from .recipe import is_acl, named_classes, without_pretraining

__all__ = [
    "CfgNode",
    "configurable",
    "get_cfg",
    "import_modules",
    "imported_files",
    "is_acl",
    "is_setting",
    "load_config",
    "load_stored_config",
    "make_importable",
    "named_classes",
    "without_pretraining",
]
