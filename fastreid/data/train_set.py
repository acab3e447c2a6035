"""The training images of DATASETS.NAMES, as one set."""

from __future__ import annotations

from collections import Counter

from fastreid.config import CfgNode

from .checks import require_usable
from .common import CommDataset
from .datasets import load_dataset

_ON_ERROR = ("raise", "skip")


def build_train_set(cfg: CfgNode, *, combineall: bool) -> CommDataset:
    """Put the training images of all data sets in DATASETS.NAMES together, each set a domain.

    Args:
        cfg: DATASETS, DATALOADER.ON_ERROR.
        combineall: whether query and gallery are training images too.

    Raises:
        KeyError: a name is not registered.
        FileNotFoundError: a data set does not exist.
        ValueError: a data set cannot be trained on, or DATASETS.NAMES is not valid.
    """
    require_names(cfg)
    items = {}
    for name in cfg.DATASETS.NAMES:
        data = load_dataset(cfg, name, combineall=combineall)
        data.show_train()
        require_usable(name, data, use="train", skips_unreadable=skips_unreadable(cfg))
        items[name] = data.train
    return CommDataset.of_sets(items)


def require_names(cfg: CfgNode) -> None:
    """Check that DATASETS.NAMES has at least one name, and no name twice.

    Args:
        cfg: DATASETS.NAMES.

    Raises:
        ValueError: it has no names, or a name twice.
    """
    names = cfg.DATASETS.NAMES
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not names or twice:
        fault = f"lists {twice} more than once" if twice else "is empty"
        raise ValueError(f"DATASETS.NAMES {tuple(names)} {fault}; name each source domain once.")


def skips_unreadable(cfg: CfgNode) -> bool:
    """Tell whether training replaces unreadable images (DATALOADER.ON_ERROR "skip").

    Args:
        cfg: DATALOADER.ON_ERROR.

    Raises:
        ValueError: its value is neither "raise" nor "skip".
    """
    value = cfg.DATALOADER.ON_ERROR
    if value not in _ON_ERROR:
        raise ValueError(f"DATALOADER.ON_ERROR is {value!r}; it can be one of {_ON_ERROR}.")
    return value == "skip"
