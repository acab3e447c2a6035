"""The base class of data sets and their registry.

To add a data set, derive a class from ``ImageDataset`` (or from ``FolderDataset`` in `folders`) and
register it in ``DATASET_REGISTRY``; docs/own_code.md has an example.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.utils.labels import LabelNames
from fastreid.utils.registry import Registry

from .combineall import warn_of_two_classes, with_test_items
from .construction import construct
from .counts import (
    Counts,
    count_labels,
    counts_table,
    describe_published,
    difference_from_published,
)
from .files import Search, require_paths
from .items import Item
from .splits import Items, SplitItems

logger = logging.getLogger(__name__)

DATASET_REGISTRY = Registry("DATASET")


class ImageDataset:
    """Base class of data sets: lists of training, query and gallery items.

    It is fast-reid's ``ImageDataset``. Each list is read and checked at first use.

    Items are (path, identity, camera). The constructor takes them as tuples or lists, with paths as
    strings or path objects, and identities and cameras as integers or strings. In ``train``, labels
    are strings: the integer 5 becomes "MySet_5" in the class MySet. In ``query`` and ``gallery``,
    labels are integers: strings are numbered, and equal strings get the same number.

    Subclasses set ``dataset_name``; ``_junk_pids``, the test identities that are not persons to
    train on; ``trains_on_test_identities``, whether the published training split contains test
    identities; ``has_common_labels``, whether "<dataset_name>_5" in ``train`` is the person 5 of
    ``query``; ``num_splits``, the number of splits that DATASETS.SPLIT chooses from; and
    ``counts_source``, the paper that ``published`` comes from.

    Args:
        train: training items, or a function that reads them.
        query: query items, or a function that reads them.
        gallery: gallery items, or a function that reads them.
        combineall: whether ``train`` includes query and gallery, as "<dataset>_test_<label>",
            without junk identities.
        published: published sizes by split ("train", "query", "gallery"). A data set that differs
            from them, and is not just a sample, is logged as a warning.
        **unused: other arguments of fast-reid's data sets (root, mode, transform, verbose).

    Examples:
        >>> from fastreid.data.datasets import ImageDataset
        >>> class Shop(ImageDataset):
        ...     dataset_name = "Shop"
        >>> shop = Shop(
        ...     train=[("a.jpg", 5, 0), ("b.jpg", 5, 1)],
        ...     query=[("c.jpg", "anna", "door")],
        ...     gallery=[("d.jpg", "anna", "till"), ("e.jpg", "bob", "till")],
        ... )
        >>> shop.train[0], shop.query, [pid for _, pid, _ in shop.gallery]
        (('a.jpg', 'Shop_5', 'Shop_0'), [('c.jpg', 0, 0)], [0, 1])
    """

    dataset_name = "Unknown"
    trains_on_test_identities = False
    has_common_labels = False
    num_splits = 1
    counts_source = ""
    combineall = False
    _junk_pids: Sequence[int | str] = ()
    _split_items: SplitItems | None = None
    _searches: tuple[Search, ...] = ()

    def __init__(
        self,
        train: Items,
        query: Items,
        gallery: Items,
        *,
        combineall: bool = False,
        published: Mapping[str, Counts] | None = None,
        **unused: Any,  # noqa: ARG002 - subclasses pass on all their arguments
    ) -> None:
        self.combineall = combineall
        self._split_items = SplitItems(
            type(self),
            self.dataset_name,
            {"train": train, "query": query, "gallery": gallery},
            published or {},
        )
        self._combined: list[Item] | None = None

    @classmethod
    def from_config(cls, cfg: CfgNode, *, root: str, combineall: bool = False) -> ImageDataset:
        """Make the data set from a config; subclasses with options in the config override it.

        By default, the constructor gets root, combineall and split_id, as far as it takes them.

        Args:
            cfg: config with DATASETS.SPLIT; subclasses may read other options under DATASETS.
            root: folder that holds the data sets.
            combineall: whether ``train`` includes query and gallery.

        Raises:
            ValueError: the constructor needs other arguments, or lacks ``combineall`` if it is set.
        """
        options = {"root": root, "combineall": combineall, "split_id": cfg.DATASETS.SPLIT}
        return construct(cls, options)

    def prepare(self) -> None:
        """Make files that are made once, at first use; subclasses with such files override it.

        In a job of several processes, the first process of each machine calls it before the others.
        """

    @property
    def train(self) -> list[Item]:
        """Training items; with ``combineall``, followed by those of query and gallery."""
        if not self.combineall:
            return self._load("train")
        if self._combined is None:
            self._combined = self._combine()
        return self._combined

    @property
    def query(self) -> list[Item]:
        """Query items."""
        return self._items_by_split.numbered("query")

    @property
    def gallery(self) -> list[Item]:
        """Gallery items."""
        return self._items_by_split.numbered("gallery")

    @property
    def junk_pids(self) -> tuple[int, ...]:
        """Identities of query and gallery that are not persons to retrieve, as integers.

        Raises:
            ValueError: ``_junk_pids`` is not a list of identities.
        """
        if isinstance(self._junk_pids, str) or not isinstance(self._junk_pids, Iterable):
            raise ValueError(
                f"Data set {type(self).__name__}: _junk_pids must be a list of identities, but is "
                f"{self._junk_pids!r}."
            )
        return self._items_by_split.numbers_of(self._junk_pids)

    @property
    def num_train_pids(self) -> int:
        """Identities in ``train``."""
        return self.parse_data(self.train)[0]

    @property
    def num_train_cams(self) -> int:
        """Cameras in ``train``."""
        return self.parse_data(self.train)[1]

    def parse_data(self, data: Sequence[Item]) -> tuple[int, int]:
        """Count identities and cameras.

        Args:
            data: items.

        Returns:
            Number of identities, number of cameras.
        """
        return count_labels(data)

    def get_num_pids(self, data: Sequence[Item]) -> int:
        """Count identities.

        Args:
            data: items.
        """
        return self.parse_data(data)[0]

    def get_num_cams(self, data: Sequence[Item]) -> int:
        """Count cameras.

        Args:
            data: items.
        """
        return self.parse_data(data)[1]

    def get_imagedata_info(self, data: Sequence[Item]) -> tuple[int, int, int]:
        """Count identities, images and cameras, in this order.

        Args:
            data: items.
        """
        identities, cameras = self.parse_data(data)
        return identities, len(data), cameras

    def combine_all(self) -> None:
        """Include query and gallery in ``train``."""
        self.combineall = True

    def check_before_run(self, required_files: str | Path | Iterable[str | Path]) -> None:
        """Check that files and folders exist.

        Args:
            required_files: one path or several.

        Raises:
            FileNotFoundError: a path does not exist; the message names the data set and the path.
        """
        given = [required_files] if isinstance(required_files, (str, Path)) else required_files
        require_paths(given, type(self).__name__)

    def count_differences(self, splits: Sequence[str] | None = None) -> list[str]:
        """Describe the differences from the published counts, in a sentence for each split.

        Args:
            splits: splits to compare; None: all three.
        """
        chosen = ("train", "query", "gallery") if splits is None else splits
        found = [
            difference_from_published(split, self._load(split), self._items_by_split.published)
            for split in chosen
        ]
        return [difference for difference in found if difference]

    def describe_published(self, splits: Sequence[str] = ("train", "query", "gallery")) -> str:
        """Describe the published counts and their source, in a sentence; "" if there are none.

        Args:
            splits: splits to describe.
        """
        published = self._split_items.published if self._split_items else {}
        return describe_published(published, splits, self.counts_source)

    def identities_in_both(self) -> set | None:
        """Give the training identities that are in query or gallery too; None if this is unknown.

        It is known of data sets with ``has_common_labels``. Junk identities are left out.
        """
        if not self.has_common_labels:
            return None
        junk = set(self.junk_pids)
        tests = zip(self.label_names().pids, [*self.query, *self.gallery])
        tested = [str(name) for name, item in tests if item[1] not in junk]
        return self._items_by_split.in_both(tested)

    def label_names(self) -> LabelNames:
        """Give the original identities and cameras of the queries, then of the gallery images.

        Returns:
            Two arrays of strings: the labels as they were passed to the constructor.
        """
        return self._items_by_split.label_names()

    def note_search(self, found: Search) -> None:
        """Record the files that a search for images skipped, and log unexpected ones.

        Args:
            found: result of ``search_images``, in subclasses that search folders.
        """
        self._searches = (*self._searches, found)
        description = found.describe(is_quiet=True)
        if description:
            logger.info("%s: %s", self.dataset_name, description)

    def passed_over(self) -> list[str]:
        """Describe the files that were skipped, in a sentence for each searched folder."""
        descriptions = [found.describe() for found in self._searches]
        return [description for description in descriptions if description]

    def show_train(self) -> None:
        """Log the table of the training set."""
        self._show({"train": self.train})

    def show_test(self) -> None:
        """Log the table of query and gallery."""
        self._show({"query": self.query, "gallery": self.gallery})

    @property
    def _items_by_split(self) -> SplitItems:
        if self._split_items is None:
            raise ValueError(
                f"The data set class {type(self).__name__} does not call super().__init__(train, "
                "query, gallery, **kwargs)."
            )
        return self._split_items

    def _load(self, split: str) -> list[Item]:
        return self._items_by_split.given(split)

    def _combine(self) -> list[Item]:
        warn_of_two_classes(self.dataset_name, self.identities_in_both())
        return with_test_items(
            self.dataset_name,
            self._load("train"),
            self._items_by_split.given_tests(),
            [pid for _, pid, _ in [*self.query, *self.gallery]],
            junk=set(self.junk_pids),
        )

    def _show(self, splits: Mapping[str, Sequence[Item]]) -> None:
        logger.info("=> Loaded %s: \n%s", type(self).__name__, counts_table(splits))
