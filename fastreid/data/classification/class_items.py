"""Read images with their classes from registered data sets: each identity is a class."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from fastreid.config import CfgNode
from fastreid.utils.labels import normal_form
from fastreid.utils.messages.texts import list_some

from ..checks import require_files, require_usable
from ..datasets import ImageDataset, load_dataset
from ..train_set import require_names, skips_unreadable

ClassItem = tuple[str, str, str]

logger = logging.getLogger(__name__)


def read_train_items(cfg: CfgNode) -> list[ClassItem]:
    """Read the training images of DATASETS.NAMES; equal names in several sets are one class.

    Args:
        cfg: DATASETS, DATALOADER.ON_ERROR.

    Returns:
        (path, class name, camera) of each image.

    Raises:
        KeyError: a name is not registered.
        FileNotFoundError: a data set does not exist.
        ValueError: a data set cannot be trained on, or two of its classes get the same name.
    """
    require_names(cfg)
    if cfg.DATASETS.COMBINEALL:
        logger.warning("DATASETS.COMBINEALL has no effect on the training of a classifier")
    items: list[ClassItem] = []
    for name in cfg.DATASETS.NAMES:
        data = load_dataset(cfg, name)
        data.show_train()
        require_usable(name, data, use="train", skips_unreadable=skips_unreadable(cfg))
        named = {pid: _class_name(pid, data) for _, pid, _ in data.train}
        if len(set(named.values())) < len(named):
            same = sorted(pid for pid in named if list(named.values()).count(named[pid]) > 1)
            raise ValueError(
                f"Data set {name}: {list_some(same)} would be the same class; rename them."
            )
        items += [(path, named[pid], camid) for path, pid, camid in data.train]
    return items


def read_test_items(cfg: CfgNode, name: str) -> list[ClassItem]:
    """Read the test images of a data set: its queries.

    Args:
        cfg: DATASETS.
        name: registered name of the data set.

    Returns:
        (path, class name, camera) of each image.

    Raises:
        KeyError: the name is not registered.
        FileNotFoundError: the data set does not exist.
        ValueError: there are no queries, or image files are missing or empty.
    """
    data = load_dataset(cfg, name)
    paths = [str(item[0]) for item in data.query]
    if not paths:
        raise ValueError(
            f"The test set {name} has no query images, which a classifier is tested on."
        )
    require_files(paths)
    labels = data.label_names()
    classes = [_class_name(str(pid), data) for pid in labels.pids[: len(paths)]]
    return list(zip(paths, classes, map(str, labels.camids[: len(paths)])))


def require_known_classes(name: str, items: Sequence[ClassItem], classes: Iterable[str]) -> None:
    """Check that a classifier knows all classes of a test set.

    Args:
        name: name of the test set.
        items: its images, as `read_test_items` returns them.
        classes: names of the classes.

    Raises:
        ValueError: it does not know some of them.
    """
    known = set(classes)
    unknown = sorted({item[1] for item in items} - known)
    if unknown:
        raise ValueError(
            f"The test set {name} has {len(unknown)} classes that are not among the {len(known)} "
            f"training classes ({list_some(unknown)}); a classifier cannot recognize them."
        )


def _class_name(label: str, data: ImageDataset) -> str:
    """Name of a class, without the data set's name, which training labels begin with."""
    for name in (data.dataset_name, type(data).__name__):
        if label.startswith(f"{name}_") and len(label) > len(name) + 1:
            label = label[len(name) + 1 :]
            break
    return str(normal_form(label))
