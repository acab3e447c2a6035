"""The configuration of a tool: defaults, file, command line, and the user's own modules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from .cfg_node import CfgNode
from .config import get_cfg
from .modules import import_modules

logger = logging.getLogger(__name__)


def load_config(config_file: str | Path | None = None, opts: Sequence[str] = ()) -> CfgNode:
    """Read a configuration and import the modules that it names.

    Args:
        config_file: YAML file, read over the defaults; None or empty: none.
        opts: ``KEY VALUE KEY VALUE ...``, which win over the file.

    Returns:
        The configuration, to be changed and frozen.

    Raises:
        FileNotFoundError: the file, a base of it or a file of MODULES is missing.
        ValueError: broken YAML, an odd number of words, or a module that cannot be imported.
        KeyError: for an unknown key.
        TypeError: for a value of the wrong type.
    """
    cfg = get_cfg()
    if config_file:
        cfg.merge_from_file(config_file)
    cfg.merge_from_list(opts)
    import_modules(cfg.MODULES)
    return cfg


def load_stored_config(text: str, opts: Sequence[str] = (), *, source: str | Path) -> CfgNode:
    """Read the configuration that a feature file holds; the modules named there are not imported.

    Such a file may come from anybody, so only the modules that ``opts`` name are imported.

    Args:
        text: YAML.
        opts: ``KEY VALUE KEY VALUE ...``, which win over the text.
        source: the file, for messages.

    Returns:
        The configuration, to be changed and frozen; MODULES has those of ``opts`` only.

    Raises:
        FileNotFoundError: a file of MODULES is missing.
        ValueError: broken YAML, an odd number of words, or a module that cannot be imported.
        KeyError: for an unknown key.
        TypeError: for a value of the wrong type.
    """
    cfg = get_cfg()
    cfg.merge_from_text(text, source=f"{source}")
    stored, cfg.MODULES = cfg.MODULES, []
    cfg.merge_from_list(opts)
    if stored and not cfg.MODULES:
        logger.warning(
            "%s was made with the modules %s. Modules that a feature file names are not imported: "
            'if you trust them and they are needed, add MODULES "%s" to --opts.',
            *(source, stored, stored),
        )
    import_modules(cfg.MODULES)
    return cfg
