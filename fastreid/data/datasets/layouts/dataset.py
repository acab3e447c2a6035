"""The class of data sets that are described by a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..bases import ImageDataset
from ..counts import Counts
from ..files import require_folder, require_root
from ..items import Item
from .items import test_items, train_items
from .parts import Part, read_part


class Layout(NamedTuple):
    """A data set: its folder, and where the images of its splits are.

    Attributes:
        name: registered name.
        folder: folder under the data root.
        paper: authors, conference and year.
        about: what is worth knowing.
        parts: the images of "train", "query" and "gallery"; a split that is not named is empty.
        published: published counts of the splits.
        junk_pids: test identities that are not persons to train on.
        counts_source: where the published counts come from, if not from the paper.
    """

    name: str
    folder: str
    paper: str
    about: str
    parts: Mapping[str, Part]
    published: Mapping[str, Counts] = {}
    junk_pids: tuple[int, ...] = ()
    counts_source: str = ""


class LayoutDataset(ImageDataset):
    """A data set that is described by a ``Layout``; subclasses define ``layout``.

    Args:
        root: folder that holds the data sets.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: the folder of the data set does not exist.
    """

    has_common_labels = True
    layout: Layout

    def __init__(self, root: str | Path = "datasets", *, combineall: bool = False) -> None:
        self._junk_pids = self.layout.junk_pids
        self.counts_source = self.layout.counts_source or self.layout.paper
        folder = require_root(root) / self.layout.folder
        self.data_dir = require_folder(folder, self.dataset_name)
        super().__init__(
            *(partial(self._read_split, split) for split in ("train", "query", "gallery")),
            combineall=combineall,
            published=self.layout.published,
        )

    def _read_split(self, split: str) -> list[Item]:
        part = self.layout.parts.get(split)
        if part is None:
            return []
        images = read_part(part, self.data_dir, self.dataset_name, note_search=self.note_search)
        return train_items(images, self.dataset_name) if split == "train" else test_items(images)


def make_class(layout: Layout) -> type[LayoutDataset]:
    """Make the class of a data set.

    Args:
        layout: the data set.

    Returns:
        A subclass of ``LayoutDataset`` with the name of the data set.
    """
    members = {
        "__doc__": f"{layout.paper}. {layout.about}",
        # Where it can be imported from.
        "__module__": __package__.rpartition(".")[0],
        "dataset_name": layout.name,
        "layout": layout,
        "counts_source": layout.counts_source or layout.paper,
    }
    return type(layout.name, (LayoutDataset,), members)
