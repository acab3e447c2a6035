"""Configurations as they are saved in config.yaml, in checkpoints and in feature files.

They are read in other working directories and with other data: so paths are absolute, and values
that a run derived from its data are not saved as settings.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode, explicit_config
from fastreid.utils import comm
from fastreid.utils.atomic_file import replacing
from fastreid.utils.file_io.paths import absolute_path

logger = logging.getLogger(__name__)

# Strings, or lists of strings, that are paths relative to the working directory.
PATH_KEYS = (
    "OUTPUT_DIR",
    "MODEL.WEIGHTS",
    "MODEL.BACKBONE.PRETRAIN_PATH",
    "KD.MODEL_CONFIG",
    "KD.MODEL_WEIGHTS",
)
# Relative to the working directory if the file exists there, else to $FASTREID_DATASETS, which may
# differ between machines.
IMAGE_LIST_KEY = "DATASETS.IMAGE_LIST"


def dump_for_keeping(cfg: CfgNode) -> str:
    """Convert a configuration to YAML that has the same meaning in every working directory.

    Args:
        cfg: the whole configuration; it is not changed.

    Returns:
        YAML, with absolute paths; a DATASETS.IMAGE_LIST under the data root stays relative to it.
    """
    kept = cfg.clone()
    kept.defrost()
    for key in PATH_KEYS:
        group, name = _group_of(kept, key)
        group[name] = _absolute(group[name])
    group, name = _group_of(kept, IMAGE_LIST_KEY)
    if group[name] and Path(group[name]).exists():
        group[name] = _absolute(group[name])
    return kept.dump()


def write_config(cfg: CfgNode, given: CfgNode | None = None) -> None:
    """Write the whole configuration to ``config.yaml`` in OUTPUT_DIR.

    Args:
        cfg: the configuration of the run.
        given: the configuration before `complete_config`; None if it is the same. The file has the
            values of `given`, so that it can be used with other data, and a comment with the values
            of `cfg` that differ.
    """
    if not comm.is_main_process():
        return
    derived = [] if given is None else list(_differences(explicit_config(given), cfg))
    lines = [
        "# Derived from the training data of this run, and derived again when this file is used:",
        *(f"#   {key}: {value}" for key, value in derived),
    ]
    path = Path(cfg.OUTPUT_DIR) / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = dump_for_keeping(cfg if given is None else given)
    with replacing(path) as temporary:
        temporary.write_text("\n".join([*lines, text]) if derived else text, encoding="utf-8")
    logger.info("Full config saved to %s", path.resolve())


def _absolute(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_absolute(entry) for entry in value)
    # A path that begins with "~" does not depend on the working directory.
    if not isinstance(value, str) or not value or value.startswith("~") or "://" in value:
        return value
    return str(absolute_path(value))


def _group_of(cfg: CfgNode, key: str) -> tuple[CfgNode, str]:
    *groups, name = key.split(".")
    for group in groups:
        cfg = cfg[group]
    return cfg, name


def _differences(given: CfgNode, cfg: CfgNode, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys whose values differ, with the values of the second configuration."""
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from _differences(given[name], value, f"{above}{name}.")
        elif value != given[name]:
            yield f"{above}{name}", value
