"""The items of a data set's splits, read, checked and numbered at first use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Union

import numpy as np

from fastreid.utils.labels import LabelNames, normal_form, number_labels
from fastreid.utils.messages.own_code import locating_errors

from .counts import Counts, difference_from_published
from .items import Item, check_items, has_names, name_labels

logger = logging.getLogger(__name__)

Items = Union[Iterable[Item], Callable[[], Iterable[Item]]]


class SplitItems:
    """The items of "train", "query" and "gallery".

    Args:
        owner: class of the data set, for error messages.
        dataset_name: name of the data set, for the log.
        sources: items of each split, or a function that reads them.
        published: published sizes by split, or nothing.
    """

    def __init__(
        self,
        owner: type,
        dataset_name: str,
        sources: Mapping[str, Items],
        published: Mapping[str, Counts],
    ) -> None:
        self.published = published
        self._owner = owner
        self._dataset_name = dataset_name
        self._sources = sources
        self._given: dict[str, list[Item]] = {}
        self._numbered: dict[str, list[Item]] = {}

    def given(self, split: str) -> list[Item]:
        """Give the items as they were passed, checked; in "train", labels are strings.

        Args:
            split: "train", "query" or "gallery".

        Raises:
            ValueError: an item has another form than (path, identity, camera).
        """
        if split not in self._given:
            name, source = self._owner.__name__, self._sources[split]
            place = f"Data set {name}, {split}"
            with locating_errors(f"Data set {name}", self._owner):
                items, extra = check_items(source() if callable(source) else source, place)
            if extra:
                logger.info("%s: fields after path, identity and camera are ignored", place)
            self._given[split] = name_labels(items, name) if split == "train" else items
            difference = difference_from_published(split, self._given[split], self.published)
            if difference:
                logger.warning("%s %s", self._dataset_name, difference)
        return self._given[split]

    def given_tests(self) -> list[Item]:
        """Give the items of query, then of gallery, as they were passed."""
        return [*self.given("query"), *self.given("gallery")]

    def in_both(self, tested: Iterable[str]) -> set[int | str]:
        """Give the identities of training items that are among those of test items.

        Args:
            tested: identities of test items as texts; in training they are "<data set>_<text>".
        """
        prefix = f"{self._dataset_name}_"
        trained = {pid.removeprefix(prefix) for _, pid, _ in self.given("train")}
        return {normal_form(pid) for pid in trained} & {normal_form(pid) for pid in set(tested)}

    def numbered(self, split: str) -> list[Item]:
        """Give test items with integer labels; query and gallery are numbered together.

        Args:
            split: "query" or "gallery".
        """
        items = self.given(split)
        if split not in self._numbered:
            if has_names(items):
                pids, camids = self.numbers(1), self.numbers(2)
                items = [(path, pids[pid], camids[camid]) for path, pid, camid in items]
            self._numbered[split] = items
        return self._numbered[split]

    def label_names(self) -> LabelNames:
        """Give the labels of the queries, then of the gallery images, as they were passed."""
        items = self.given_tests()
        pids, camids = ([str(item[column]) for item in items] for column in (1, 2))
        return LabelNames(np.array(pids, np.str_), np.array(camids, np.str_))

    def numbers_of(self, pids: Iterable[int | str]) -> tuple[int, ...]:
        """Give the integers of those identities that are in query or gallery, in order.

        Args:
            pids: identities as they were passed; 7 and "007" are the same.
        """
        # Compared as written: an integer that was assigned to a string is another identity.
        wanted = {normal_form(str(pid)) for pid in pids}
        number_of = self.numbers(1) if wanted else {}
        return tuple(
            sorted({number for pid, number in number_of.items() if normal_form(str(pid)) in wanted})
        )

    def numbers(self, field: int) -> dict[int | str, int]:
        """Give the integer of each label of the test items.

        Args:
            field: position of the label in the items: 1 for identities, 2 for cameras.
        """
        labels = {item[field] for item in self.given_tests()}
        number_of = number_labels(map(str, labels))
        return {label: number_of[str(label)] for label in labels}
