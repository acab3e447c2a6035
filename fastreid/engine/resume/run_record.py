"""The description of a run in its checkpoints, and the check whether another run may resume it."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import yaml

from fastreid.config import CfgNode, explicit_settings
from fastreid.data import CommDataset
from fastreid.utils.collect_env import collect_versions, command_line, git_state

from .saved_config import dump_for_keeping

logger = logging.getLogger(__name__)

# A position in the data is valid only if these keys are the same.
_ORDER_OF_DATA = (
    "SEED",
    "DATASETS.NAMES",
    "DATASETS.COMBINEALL",
    "DATALOADER.SAMPLER_TRAIN",
    "DATALOADER.NUM_INSTANCE",
    "DATALOADER.SET_WEIGHT",
    "SOLVER.IMS_PER_BATCH",
    "SOLVER.META.PERIOD",
)
# Weights and optimizer states fit only if these keys are the same.
_SHAPES = (
    "MODEL.META_ARCHITECTURE",
    "MODEL.BACKBONE.NAME",
    "MODEL.BACKBONE.DEPTH",
    "MODEL.BACKBONE.NORM",
    "MODEL.BACKBONE.WITH_IBN",
    "MODEL.BACKBONE.WITH_SE",
    "MODEL.BACKBONE.WITH_NL",
    "MODEL.HEADS.NAME",
    "MODEL.HEADS.NORM",
    "MODEL.HEADS.EMBEDDING_DIM",
    "MODEL.HEADS.WITH_BNNECK",
    "MODEL.HEADS.POOL_LAYER",
    "SOLVER.OPT",
)
# These keys do not change the weights and scores of a run, or are read only before its first step.
_WITHOUT_EFFECT = (
    "MODULES",
    "OUTPUT_DIR",
    "CUDNN_BENCHMARK",
    "MODEL.WEIGHTS",
    "MODEL.BACKBONE.PRETRAIN",
    "MODEL.BACKBONE.PRETRAIN_PATH",
    "DATASETS.TESTS",
    # The path of the list; its content is compared by the check sum of the training items.
    "DATASETS.IMAGE_LIST",
    "DATALOADER.NUM_WORKERS",
    "DATALOADER.ON_ERROR",
    "SOLVER.LOG_PERIOD",
    "SOLVER.CHECKPOINT_PERIOD",
    "SOLVER.CHECKPOINT_PERIOD_ITERS",
    "SOLVER.STOP_ITERS",
    "TEST.EVAL_PERIOD",
    "TEST.IMS_PER_BATCH",
    "TEST.PLOTS",
)
_ADVICE = (
    "Set it back, or start a new run from the checkpoint's weights with MODEL.WEIGHTS and another "
    "OUTPUT_DIR."
)


def record_run(cfg: CfgNode, train_set: CommDataset) -> dict[str, Any]:
    """Describe a run for its checkpoints.

    Args:
        cfg: the whole configuration.
        train_set: the training images.

    Returns:
        config (YAML with absolute paths), data (number and check sum of the training items),
        versions, device, git and command.
    """
    return {
        "config": dump_for_keeping(cfg),
        "data": _describe_items(train_set.img_items),
        "versions": collect_versions(),
        "device": str(ms.get_context("device_target")),
        "git": git_state(),
        "command": command_line(),
    }


def check_resumable(record: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse to resume a run that this one cannot continue; log other relevant differences.

    Args:
        record: `record_run` of this run.
        before: the record in the checkpoint of the run to resume.

    Raises:
        ValueError: a setting that must not change differs; the message lists all of them.
    """
    missing = [key for key in record if key not in before]
    if missing:
        raise ValueError(
            f"The checkpoint to resume lacks {missing}: it contains weights, but no training run. "
            "Start from it with MODEL.WEIGHTS."
        )
    differences = _differences(before["config"], record["config"])
    fatal = [key for key in differences if key in (*_ORDER_OF_DATA, *_SHAPES)]
    if fatal:
        settings = "; ".join("{} {!r}, not {!r}".format(key, *differences[key]) for key in fatal)
        raise ValueError(f"The run to resume had {settings}. {_ADVICE}")
    if before["data"] != record["data"]:
        raise ValueError(
            f"The run to resume had {before['data']['images']} training images. This run has "
            f"{record['data']['images']}, or different ones, so the position in them is not valid. "
            f"{_ADVICE}"
        )
    changes = [
        "{} {!r} -> {!r}".format(key, *values)
        for key, values in differences.items()
        if key not in _WITHOUT_EFFECT
    ]
    changes += _changed_environment(before, record)
    if changes:
        logger.warning(
            "The settings of the resumed run have changed: %s. Its result will differ from that of "
            "an uninterrupted run",
            "; ".join(changes),
        )


def _describe_items(items: Iterable[tuple]) -> dict[str, int]:
    count, check_sum = 0, 0
    for path, pid, camid in items:
        count += 1
        # Without the folder, which may have moved.
        line = f"{Path(path).name}\t{pid}\t{camid}\n"
        # As `os.fsencode` does on Linux: a file name may not be UTF-8.
        check_sum = zlib.crc32(line.encode("utf-8", "surrogateescape"), check_sum)
    return {"images": count, "check_sum": check_sum}


def _differences(before: str, now: str) -> dict[str, tuple[Any, Any]]:
    """Map each key that both configurations have to its old and new value, if these differ."""
    old, new = _read_explicit(before), _read_explicit(now)
    return {key: (old[key], new[key]) for key in new if key in old and old[key] != new[key]}


def _read_explicit(text: str) -> dict[str, Any]:
    """Read settings by dotted keys; earlier releases recorded them without those implied."""
    values = yaml.safe_load(text)
    return {**_flatten(values), **explicit_settings(values)}


def _flatten(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{above}{key}."))
        else:
            flat[f"{above}{key}"] = value
    return flat


def _changed_environment(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = {**before["versions"], **now["versions"]}
    pairs = {n: (before["versions"].get(n), now["versions"].get(n)) for n in names}
    pairs["device"] = (before["device"], now["device"])
    return [f"{name} {old} -> {new}" for name, (old, new) in pairs.items() if old != new]
