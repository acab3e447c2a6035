"""What every data set offers: training, query and gallery items, and tables of their counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np
from tabulate import tabulate
from termcolor import colored

from fastreid.utils.labels import LabelNames, normal_form, number_labels
from fastreid.utils.messages.own_code import locating_errors
from fastreid.utils.registry import Registry

from .image_search import Search
from .items import Item, check_items, has_names, name_labels

logger = logging.getLogger(__name__)

DATASET_REGISTRY = Registry("DATASET")

Items = Union[Iterable[Item], Callable[[], Iterable[Item]]]

# A set with a smaller share of the published images is a sample of it, not a damaged copy.
_LIKE_THE_REAL_SET = 0.25


class Counts(NamedTuple):
    """Published size of a split: identities and images."""

    ids: int
    images: int


class ImageDataset:
    """Items of a data set, each read when it is first asked for (fast-reid's ``ImageDataset``).

    Items are (path, identity, camera). Given are tuples or lists, with paths as texts or path
    objects, and identities and cameras as whole numbers or texts; they are checked when they are
    read. ``train`` has texts: the number 5 of the class MySet becomes "MySet_5". ``query`` and
    ``gallery`` have whole numbers: texts get a number, equal ones the same.

    Subclasses set ``dataset_name``, ``_junk_pids``, the test identities that are no persons to
    learn, and ``trains_on_test_identities``, where the published split does.

    Args:
        train: items, or a function that reads them.
        query: the same.
        gallery: the same.
        combineall: train on query and gallery too, as "<dataset>_test_<label>", without junk.
        published: sizes by split ("train", "query", "gallery"). A set that is large enough to be
            the real one but differs from them is logged as a warning.
        **unused: what fast-reid's data sets pass on besides (root, mode, transform, verbose).
    """

    dataset_name = "Unknown"
    trains_on_test_identities = False
    combineall = False
    _junk_pids: Sequence[int | str] = ()
    _sources: Mapping[str, Items] | None = None
    _searches: tuple[Search, ...] = ()

    def __init__(
        self,
        train: Items,
        query: Items,
        gallery: Items,
        *,
        combineall: bool = False,
        published: Mapping[str, Counts] | None = None,
        **unused: Any,  # noqa: ARG002 - subclasses pass on all that they are given
    ) -> None:
        self.combineall = combineall
        self._sources = {"train": train, "query": query, "gallery": gallery}
        self._published = published or {}
        self._loaded: dict[str, list[Item]] = {}
        self._numbered: dict[str, list[Item]] = {}
        self._combined: list[Item] | None = None

    def prepare(self) -> None:
        """Make files that are made once, at the first use; subclasses that have any overwrite it.

        Of several processes of a job, the first one of each machine does it before the others.
        """

    @property
    def train(self) -> list[Item]:
        """Training items; with ``combineall`` those of the test splits follow."""
        if not self.combineall:
            return self._load("train")
        if self._combined is None:
            self._combined = self._combine()
        return self._combined

    @property
    def query(self) -> list[Item]:
        """Query items."""
        return self._test_items("query")

    @property
    def gallery(self) -> list[Item]:
        """Gallery items."""
        return self._test_items("gallery")

    @property
    def junk_pids(self) -> tuple[int, ...]:
        """Identities of query and gallery that are no persons to find, as numbers.

        Raises:
            ValueError: ``_junk_pids`` is no list of identities.
        """
        if isinstance(self._junk_pids, str) or not isinstance(self._junk_pids, Iterable):
            raise ValueError(
                f"Data set {type(self).__name__}: _junk_pids must be a list of identities, but is "
                f"{self._junk_pids!r}."
            )
        # A number that was chosen for a name is not the identity of that number.
        junk = {normal_form(str(pid)) for pid in self._junk_pids}
        number_of = self._numbers(1) if junk else {}
        return tuple(
            sorted({number for pid, number in number_of.items() if normal_form(str(pid)) in junk})
        )

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
        return len({item[1] for item in data}), len({item[2] for item in data})

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
        """Count identities, images and cameras.

        Args:
            data: items.

        Returns:
            Number of identities, of images, of cameras.
        """
        identities, cameras = self.parse_data(data)
        return identities, len(data), cameras

    def combine_all(self) -> None:
        """Train on query and gallery too."""
        self.combineall = True

    def check_before_run(self, required_files: str | Path | Iterable[str | Path]) -> None:
        """Check that files and folders exist.

        Args:
            required_files: one path, or several.

        Raises:
            FileNotFoundError: the message names the data set and the first one that is missing.
        """
        given = [required_files] if isinstance(required_files, (str, Path)) else required_files
        for path in given:
            if not Path(path).exists():
                raise FileNotFoundError(
                    f"Data set {type(self).__name__}: {path} does not exist (FASTREID_DATASETS is "
                    "the folder that holds the data sets)."
                )

    def count_differences(self, splits: Sequence[str] | None = None) -> list[str]:
        """Say where the counts are not the published ones, a sentence for each split.

        Args:
            splits: to look at; None: all three.
        """
        chosen = self._sources if splits is None else splits
        found = [self._difference_from_published(split) for split in chosen]
        return [difference for difference in found if difference]

    def identities_in_both(self) -> set | None:
        """Give the identities of training that query or gallery have too.

        Returns:
            Their names; None if the two are not numbered together, so that nobody can tell.
        """
        return None

    def label_names(self) -> LabelNames:
        """Give identities and cameras of queries, then gallery images, as they are written.

        Returns:
            Two columns of texts: what the items were given with.
        """
        items = self._given_test_items()
        pids, camids = ([str(item[column]) for item in items] for column in (1, 2))
        return LabelNames(np.array(pids, np.str_), np.array(camids, np.str_))

    def note_search(self, found: Search) -> None:
        """Keep what a search for images passed over, and log it where it is worth a word.

        Args:
            found: of ``search_images``; for subclasses that search folders.
        """
        self._searches = (*self._searches, found)
        told = found.describe(is_quiet=True)
        if told:
            logger.info("%s: %s", self.dataset_name, told)

    def passed_over(self) -> list[str]:
        """Say which files were not read as images, a sentence for each folder searched so far."""
        return [told for told in (found.describe() for found in self._searches) if told]

    def show_train(self) -> None:
        """Log the table of the training set."""
        self._show({"train": self.train})

    def show_test(self) -> None:
        """Log the table of query and gallery."""
        self._show({"query": self.query, "gallery": self.gallery})

    def _load(self, split: str) -> list[Item]:
        """Items as they were given, in one form; those of training with texts."""
        if self._sources is None:
            raise ValueError(
                f"The data set class {type(self).__name__} does not call super().__init__(train, "
                "query, gallery, **kwargs)."
            )
        if split not in self._loaded:
            name, source = type(self).__name__, self._sources[split]
            place = f"Data set {name}, {split}"
            with locating_errors(f"Data set {name}", type(self)):
                items, extra = check_items(source() if callable(source) else source, place)
            if extra:
                logger.info("%s: fields after path, identity and camera are not used", place)
            self._loaded[split] = name_labels(items, name) if split == "train" else items
            self._compare_with_published(split)
        return self._loaded[split]

    def _test_items(self, split: str) -> list[Item]:
        """Items with whole numbers; query and gallery are numbered together."""
        items = self._load(split)
        if split not in self._numbered:
            if has_names(items):
                pids, camids = self._numbers(1), self._numbers(2)
                items = [(path, pids[pid], camids[camid]) for path, pid, camid in items]
            self._numbered[split] = items
        return self._numbered[split]

    def _numbers(self, field: int) -> dict[int | str, int]:
        labels = {item[field] for item in self._given_test_items()}
        number_of = number_labels(map(str, labels))
        return {label: number_of[str(label)] for label in labels}

    def _given_test_items(self) -> list[Item]:
        return [*self._load("query"), *self._load("gallery")]

    def _combine(self) -> list[Item]:
        train, added = self._load("train"), self._test_items_to_train_on()
        clashing = {pid for _, pid, _ in train} & {pid for _, pid, _ in added}
        if clashing:
            raise ValueError(
                f"{self.dataset_name}: {len(clashing)} training identities, such as "
                f"{min(clashing)!r}, have the names that DATASETS.COMBINEALL gives to test "
                "identities: two persons would become one. Rename them."
            )
        in_both = self.identities_in_both()
        if in_both:
            logger.warning(
                "%s: %d identities are in training and in test; with DATASETS.COMBINEALL each of "
                "them is two classes",
                *(self.dataset_name, len(in_both)),
            )
        return [*train, *added]

    def _test_items_to_train_on(self) -> list[Item]:
        prefix, junk = f"{self.dataset_name}_test_", set(self.junk_pids)
        given = self._given_test_items()
        forms = {label: normal_form(str(label)) for item in given for label in item[1:]}
        return [
            (path, f"{prefix}{forms[pid]}", f"{prefix}{forms[camid]}")
            for (path, pid, camid), (_, number, _) in zip(given, [*self.query, *self.gallery])
            if number not in junk
        ]

    def _compare_with_published(self, split: str) -> None:
        difference = self._difference_from_published(split)
        if difference:
            logger.warning("%s %s", self.dataset_name, difference)

    def _difference_from_published(self, split: str) -> str:
        items = self._load(split)
        found = Counts(self.parse_data(items)[0], len(items))
        published = self._published.get(split, found)
        if found == published or found.images < _LIKE_THE_REAL_SET * published.images:
            return ""
        return (
            f"{split}: {found.ids} identities and {found.images} images; the published set has "
            f"{published.ids} and {published.images}."
        )

    def _show(self, splits: Mapping[str, Sequence[Item]]) -> None:
        rows = []
        for name, items in splits.items():
            num_pids, num_cams = self.parse_data(items)
            rows.append([name, num_pids, len(items), num_cams])
        headers = ["subset", "# ids", "# images", "# cameras"]
        table = tabulate(rows, headers=headers, tablefmt="pipe", numalign="left")
        logger.info("=> Loaded %s: \n%s", type(self).__name__, colored(table, "cyan"))
