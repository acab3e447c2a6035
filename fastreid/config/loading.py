"""The configuration of a tool: defaults, file, command line and user modules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from .cfg_node import CfgNode
from .config import get_cfg
from .modules import import_modules
from .shipped import find_config

logger = logging.getLogger(__name__)


def load_config(config_file: str | Path | None = None, opts: Sequence[str] = ()) -> CfgNode:
    """Read a configuration and import the modules that it names.

    Args:
        config_file: YAML file that overrides the defaults, see `find_config`; None or empty for no
            file.
        opts: ``KEY VALUE KEY VALUE ...``, which override the file.

    Returns:
        The configuration, not frozen.

    Raises:
        FileNotFoundError: the file, a base of it or a file of MODULES is missing.
        ValueError: the YAML is malformed, the number of words is odd, or a module cannot be
            imported.
        KeyError: a key is unknown.
        TypeError: a value has the wrong type.

    Examples:
        >>> from pathlib import Path
        >>> from fastreid.config import load_config
        >>> size = Path("base.yml").write_text("INPUT: {SIZE_TEST: [384, 128]}")
        >>> size = Path("mine.yml").write_text("{_BASE_: base.yml, TEST: {METRIC: euclidean}}")
        >>> cfg = load_config("mine.yml", ["TEST.IMS_PER_BATCH", "32"])
        >>> cfg.INPUT.SIZE_TEST, cfg.TEST.METRIC, cfg.TEST.IMS_PER_BATCH
        ([384, 128], 'euclidean', 32)
    """
    cfg = get_cfg()
    if config_file:
        cfg.merge_from_file(find_config(config_file))
    cfg.merge_from_list(opts)
    import_modules(cfg.MODULES)
    return cfg


def load_stored_config(text: str, opts: Sequence[str] = (), *, source: str | Path) -> CfgNode:
    """Read the configuration in a feature file, without importing the modules that it names.

    A feature file may come from an untrusted source. Only modules named in ``opts`` are imported.

    Args:
        text: YAML.
        opts: ``KEY VALUE KEY VALUE ...``, which override the text.
        source: path of the feature file, for messages.

    Returns:
        The configuration, not frozen; its MODULES are those of ``opts``.

    Raises:
        FileNotFoundError: a file of MODULES is missing.
        ValueError: the YAML is malformed, the number of words is odd, or a module cannot be
            imported.
        KeyError: a key is unknown.
        TypeError: a value has the wrong type.
    """
    cfg = get_cfg()
    cfg.merge_from_text(text, source=f"{source}")
    stored, cfg.MODULES = cfg.MODULES, []
    cfg.merge_from_list(opts)
    if stored and not cfg.MODULES:
        logger.warning(
            "%s was made with the modules %s, which are not imported: a feature file may come from "
            'an untrusted source. If you trust and need them, add MODULES "%s" to --opts.',
            *(source, stored, stored),
        )
    import_modules(cfg.MODULES)
    return cfg
