"""What every data set offers: training, query and gallery items, and tables of their counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Union

from tabulate import tabulate
from termcolor import colored

from fastreid.utils.registry import Registry

logger = logging.getLogger(__name__)

DATASET_REGISTRY = Registry("DATASET")

Item = tuple
Items = Union[Sequence[Item], Callable[[], Sequence[Item]]]

# A set with a smaller share of the published images is a sample of it, not a damaged copy.
_LIKE_THE_REAL_SET = 0.25


class Counts(NamedTuple):
    """Published size of a split: identities and images."""

    ids: int
    images: int


class ImageDataset:
    """Items of a data set, each read when it is first asked for (fast-reid's ``ImageDataset``).

    Training items are (img_path, "<dataset>_<int>", "<dataset>_<int>"): path, identity, camera.
    Query and gallery items are (img_path, int, int). Cameras count from 0.

    Subclasses set ``dataset_name``, ``_junk_pids``, the test identities that are no persons to
    learn, and ``trains_on_test_identities``, where the published split does.

    Args:
        train: items, or a function that reads them.
        query: the same.
        gallery: the same.
        combineall: train on query and gallery too, as "<dataset>_test_<int>", without junk.
        published: sizes by split ("train", "query", "gallery"). A set that is large enough to be
            the real one but differs from them is logged as a warning.
    """

    dataset_name = "Unknown"
    trains_on_test_identities = False
    _junk_pids: Sequence[int] = ()

    def __init__(
        self,
        train: Items,
        query: Items,
        gallery: Items,
        *,
        combineall: bool = False,
        published: Mapping[str, Counts] | None = None,
    ) -> None:
        self.combineall = combineall
        self._sources = {"train": train, "query": query, "gallery": gallery}
        self._published = published or {}
        self._loaded: dict[str, list[Item]] = {}
        self._combined: list[Item] | None = None

    @property
    def train(self) -> list[Item]:
        """Training items; with ``combineall`` those of the test splits follow."""
        if not self.combineall:
            return self._load("train")
        if self._combined is None:
            self._combined = [*self._load("train"), *self._test_items_to_train_on()]
        return self._combined

    @property
    def query(self) -> list[Item]:
        """Query items."""
        return self._load("query")

    @property
    def gallery(self) -> list[Item]:
        """Gallery items."""
        return self._load("gallery")

    @property
    def junk_pids(self) -> tuple[int, ...]:
        """Test identities that are no persons to find."""
        return tuple(self._junk_pids)

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

    def count_differences(self) -> list[str]:
        """Say where the counts are not the published ones, a sentence for each split."""
        found = [self._difference_from_published(split) for split in self._sources]
        return [difference for difference in found if difference]

    def identities_in_both(self) -> set | None:
        """Give the identities of training that query or gallery have too.

        Returns:
            Their names; None if the two are not numbered together, so that nobody can tell.
        """
        return None

    def show_train(self) -> None:
        """Log the table of the training set."""
        self._show({"train": self.train})

    def show_test(self) -> None:
        """Log the table of query and gallery."""
        self._show({"query": self.query, "gallery": self.gallery})

    def _load(self, split: str) -> list[Item]:
        if split not in self._loaded:
            source = self._sources[split]
            self._loaded[split] = list(source() if callable(source) else source)
            self._compare_with_published(split)
        return self._loaded[split]

    def _test_items_to_train_on(self) -> list[Item]:
        prefix = f"{self.dataset_name}_test_"
        return [
            (path, f"{prefix}{pid}", f"{prefix}{camid}")
            for path, pid, camid in [*self.query, *self.gallery]
            if pid not in self._junk_pids
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
