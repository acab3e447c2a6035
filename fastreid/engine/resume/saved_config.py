"""Configurations as runs keep them: in config.yaml, in checkpoints and in feature files.

They are read from other working directories and with other data, so paths are absolute, and what a
run took from its data is not passed on as a demand.
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

# Texts, or lists of texts, that name files or folders relative to the working directory.
PATH_KEYS = (
    "OUTPUT_DIR",
    "MODEL.WEIGHTS",
    "MODEL.BACKBONE.PRETRAIN_PATH",
    "KD.MODEL_CONFIG",
    "KD.MODEL_WEIGHTS",
)
# Relative to the working directory if it is there, else to $FASTREID_DATASETS, which may differ
# from machine to machine.
IMAGE_LIST_KEY = "DATASETS.IMAGE_LIST"


def dump_for_keeping(cfg: CfgNode) -> str:
    """Write a configuration down so that it means the same in every working directory.

    Args:
        cfg: the whole configuration; it is left as it is.

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
        given: the same one before `complete_config` filled it in; None: nothing was filled in.
            Keys that differ stand in the file as they were given, with a comment that names the
            run's values, so that the file trains on other data.
    """
    if not comm.is_main_process():
        return
    derived = [] if given is None else list(_differences(explicit_config(given), cfg))
    lines = [
        "# Taken from the training data of this run, and taken anew wherever this file is used:",
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
    """Give the keys whose values differ, with those of the second configuration."""
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from _differences(given[name], value, f"{above}{name}.")
        elif value != given[name]:
            yield f"{above}{name}", value
