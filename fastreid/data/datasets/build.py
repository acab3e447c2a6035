"""Make a registered data set from the config; the only reader of FASTREID_DATASETS."""

from __future__ import annotations

import inspect
import os

from fastreid.config import CfgNode
from fastreid.utils import comm
from fastreid.utils.file_io.paths import absolute_path, expand_home
from fastreid.utils.messages.own_code import locating_errors

from .bases import DATASET_REGISTRY, ImageDataset
from .construction import construct


def data_root() -> str:
    """Give the folder that holds the data sets: $FASTREID_DATASETS, by default "datasets".

    Returns:
        An absolute path, because paths of images are stored in files that may be read from another
        working directory.

    Raises:
        ValueError: the variable begins with "~" and a user who does not exist.
    """
    root = expand_home(os.environ.get("FASTREID_DATASETS", "datasets"), "FASTREID_DATASETS")
    return str(absolute_path(root))


def load_dataset(cfg: CfgNode, name: str, *, combineall: bool = False) -> ImageDataset:
    """Make a data set whose files are under $FASTREID_DATASETS.

    Args:
        cfg: config with the options of the data set, under DATASETS.
        name: registered name of the data set.
        combineall: whether the training items include those of query and gallery.

    Returns:
        The data set; its lists of items are read at first use.

    Raises:
        KeyError: no data set of that name is registered.
        FileNotFoundError: its files are missing.
        ValueError: the registered class cannot be constructed, or is not a data set.
    """
    root, make = data_root(), DATASET_REGISTRY.get(name)
    # Some data sets extract their images at first use.
    with comm.local_rank_zero_first(), locating_errors(f"Data set {name}", make):
        if inspect.isclass(make) and issubclass(make, ImageDataset):
            data = make.from_config(cfg, root=root, combineall=combineall)
        else:
            data = construct(make, {"root": root, "combineall": combineall}, name=name)
        if not isinstance(data, ImageDataset):
            raise ValueError(
                f"What is registered as data set {name} gives {type(data).__name__}; it must be a "
                "class that inherits from fastreid.data.datasets.ImageDataset."
            )
        if comm.get_world_size() > 1:
            data.prepare()
    return data
