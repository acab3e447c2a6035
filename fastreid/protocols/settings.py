"""The configuration of a run: a method's file, then the protocol's settings, then the user's."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode, explicit_config, load_config

from .spec import Protocol, Run

# Name of a method -> its file under configs/. "ACL-demo" is ACL at the size of the demo data.
METHODS = {
    "ACL": "bagtricks_DR50_mix.yml",
    "ACL-demo": "protocol_demo.yml",
    "bagtricks": "Market1501/bagtricks_R50-ibn.yml",
    "AGW": "Market1501/AGW_R50-ibn.yml",
    "SBS": "Market1501/sbs_R50-ibn.yml",
}
# Settings that `run_config` makes itself -> the option that decides them.
_MADE = {
    "DATASETS.NAMES": "the protocol decides it",
    "DATASETS.TESTS": "--targets decides it",
    "DATASETS.SPLIT": "--splits decides it",
    "SEED": "--seeds decides it",
    "OUTPUT_DIR": "--output decides it",
}
# Settings that do not change the scores of a run.
_WITHOUT_EFFECT = (
    "OUTPUT_DIR",
    "MODULES",
    "CUDNN_BENCHMARK",
    "MODEL.DEVICE",
    "MODEL.BACKBONE.PRETRAIN_PATH",
    "DATASETS.TESTS",
    "DATASETS.SPLIT",
    "DATALOADER.NUM_WORKERS",
    "SOLVER.LOG_PERIOD",
    "SOLVER.CHECKPOINT_PERIOD",
    "SOLVER.CHECKPOINT_PERIOD_ITERS",
    "TEST.IMS_PER_BATCH",
    "TEST.PLOTS",
)


def find_method(word: str, configs: Path) -> tuple[str, Path]:
    """Find the configuration file of a method.

    Args:
        word: a name of `METHODS`, or the path of a YAML file.
        configs: folder of configuration files.

    Returns:
        The name of the method, for tables, and its file.

    Raises:
        ValueError: the name is unknown.
        FileNotFoundError: the file does not exist.

    Examples:
        >>> from pathlib import Path
        >>> from fastreid.protocols import find_method
        >>> name, path = find_method("AGW", Path("configs"))
        >>> name, path.as_posix()
        ('AGW', 'configs/Market1501/AGW_R50-ibn.yml')
    """
    if word in METHODS:
        return word, configs / METHODS[word]
    if not word.endswith((".yml", ".yaml")):
        near = difflib.get_close_matches(word, METHODS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"There is no method {word!r}.{hint} There are {', '.join(METHODS)}; or give a YAML "
            "file of your own."
        )
    if not Path(word).is_file():
        raise FileNotFoundError(f"--method: the file {word} does not exist.")
    return Path(word).stem, Path(word)


def check_user_settings(opts: Sequence[str]) -> None:
    """Refuse settings that the protocol or an option decides.

    Args:
        opts: ``KEY VALUE KEY VALUE ...``.

    Raises:
        ValueError: a key is decided elsewhere; the message says where.
    """
    for key in opts[::2]:
        if key in _MADE:
            raise ValueError(f"{key} cannot be set for a protocol: {_MADE[key]}.")


def run_words(protocol: Protocol, run: Run, opts: Sequence[str], output: Path) -> list[str]:
    """List the settings of a run over those of its method's file.

    Args:
        protocol: the protocol.
        run: one of its runs.
        opts: the user's ``KEY VALUE KEY VALUE ...``, which win over the protocol's.
        output: OUTPUT_DIR.

    Returns:
        ``KEY VALUE KEY VALUE ...``.
    """
    pinned = [word for key, value in protocol.settings.items() for word in (key, str(value))]
    # Permanent checkpoints of every few epochs would take gigabytes in each run.
    return [
        *("SOLVER.CHECKPOINT_PERIOD", "0"),
        *pinned,
        *opts,
        *("DATASETS.NAMES", str(run.sources), "DATASETS.TESTS", str(run.targets)),
        # Evaluations during training use one split.
        *("DATASETS.SPLIT", str(run.routes[0].splits[0])),
        *("SEED", str(run.seed), "OUTPUT_DIR", str(output)),
    ]


def run_config(method: Path, words: Sequence[str]) -> CfgNode:
    """Read the configuration of a run.

    Args:
        method: YAML file of the method.
        words: result of `run_words`.

    Returns:
        The whole configuration, frozen.

    Raises:
        ValueError: the method needs several sources and the run has one.
    """
    cfg = load_config(method, words)
    cfg.freeze()
    per_domain = explicit_config(cfg).MODEL.HEADS.CLASSIFIERS == "per_domain"
    if per_domain and len(cfg.DATASETS.NAMES) < 2:
        raise ValueError(
            f"The method of {method} needs two or more sources, but this run trains on "
            f"{cfg.DATASETS.NAMES[0]} alone; choose another --method, such as bagtricks."
        )
    return cfg


def with_split(cfg: CfgNode, split: int) -> CfgNode:
    """Copy a configuration, with another test split.

    Args:
        cfg: the whole configuration.
        split: number of the split, from 0.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.DATASETS.SPLIT = split
    cfg.freeze()
    return cfg


def setting_differences(protocol: Protocol, cfg: CfgNode) -> list[str]:
    """Describe the protocol's settings that a run does not have.

    Args:
        protocol: the protocol.
        cfg: the configuration of the run.

    Returns:
        A sentence for each.
    """
    found = flat_settings(cfg)
    return [
        f"{key} is {found[key]}; the protocol has {wanted}."
        for key, wanted in protocol.settings.items()
        if found[key] != wanted
    ]


def flat_settings(cfg: CfgNode) -> dict[str, Any]:
    """Map dotted keys to values.

    Args:
        cfg: a configuration.

    Returns:
        Values that JSON can hold; tuples become lists.
    """
    return dict(_flatten(cfg, ""))


def deciding_settings(cfg: CfgNode) -> dict[str, Any]:
    """Return the settings that decide the scores of a run, by dotted key.

    Args:
        cfg: the configuration of the run.
    """
    values = flat_settings(explicit_config(cfg))
    return {key: value for key, value in values.items() if key not in _WITHOUT_EFFECT}


def _flatten(cfg: CfgNode, above: str) -> Iterator[tuple[str, Any]]:
    for key, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from _flatten(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", list(value) if isinstance(value, tuple) else value
