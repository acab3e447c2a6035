from .acl_recipe import explicit_config, explicit_settings, is_acl, named_classes
from .cfg_node import CfgNode
from .config import get_cfg, is_setting, without_pretraining
from .configurable import configurable
from .image_size import evaluation_image_size, training_image_size
from .loading import load_config, load_stored_config
from .modules import import_modules, imported_files, make_importable
from .shipped import find_config

__all__ = [
    "CfgNode",
    "configurable",
    "explicit_config",
    "explicit_settings",
    "find_config",
    "get_cfg",
    "import_modules",
    "imported_files",
    "is_acl",
    "is_setting",
    "load_config",
    "load_stored_config",
    "make_importable",
    "named_classes",
    "evaluation_image_size",
    "training_image_size",
    "without_pretraining",
]
