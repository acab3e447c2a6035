"""Data sets that are folders of images whose file names say identity and camera."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from fastreid.utils.labels import whole_number

from .bases import Counts, ImageDataset, Item
from .files import list_images, require_folder, require_root


class FolderDataset(ImageDataset):
    """A data set whose layout is declared, not programmed.

    Subclasses declare:
        dataset_name: prefix of training identities and cameras; the registered name.
        dataset_dir: folder under the data root.
        splits: folder of "train", "query" and "gallery" under ``dataset_dir``.
        file_name: what file names begin with: groups "pid" and, where the cameras are told
            apart, "camid", counted from 1.
        suffixes: of the images, in lower case; none: those of every image format.
        cameras: the camera, from 0, of splits whose file names have none.
        dropped_pids: identities whose images are never used.
        published: sizes of the real set.

    Args:
        root: folder that holds the data sets.
        combineall: train on query and gallery too.
    """

    dataset_dir = "."
    splits: Mapping[str, str] = {}
    file_name: re.Pattern[str]
    suffixes: Collection[str] = ()
    cameras: Mapping[str, int] = {}
    dropped_pids: frozenset[int] = frozenset()
    published: Mapping[str, Counts] = {}

    def __init__(self, root: str | Path = "datasets", *, combineall: bool = False) -> None:
        self.data_dir = require_root(root) / self.dataset_dir
        super().__init__(
            *(partial(self._read_split, split) for split in ("train", "query", "gallery")),
            combineall=combineall,
            published=self.published,
        )

    def _read_split(self, split: str) -> list[Item]:
        folder = require_folder(self.data_dir, self.dataset_name) / self.splits[split]
        found = list_images(folder, self.dataset_name, suffixes=self.suffixes)
        self.note_search(found)
        items = [self._as_item(path, split) for path in found.images]
        return [item for item in items if item is not None]

    def identities_in_both(self) -> set:
        """Give the identities of training that query or gallery have too."""
        prefix = len(f"{self.dataset_name}_")
        trained = {whole_number(pid[prefix:]) for _, pid, _ in self._load("train")}
        tested = {pid for _, pid, _ in [*self.query, *self.gallery]}
        return (trained & tested) - set(self.junk_pids)

    def _as_item(self, path: Path, split: str) -> Item | None:
        match = self.file_name.match(path.name)
        if match is None:
            raise ValueError(
                f"{self.dataset_name}: the name of {path} does not begin with "
                f"{self.file_name.pattern!r}; rename or remove the file."
            )
        try:
            pid = whole_number(match["pid"])
            camera = None if split in self.cameras else whole_number(match["camid"]) - 1
        except ValueError as error:
            raise ValueError(f"{self.dataset_name}: the name of {path}: {error}") from error
        if pid in self.dropped_pids:
            return None
        camid = self.cameras[split] if camera is None else camera
        if split == "train":
            return str(path), f"{self.dataset_name}_{pid}", f"{self.dataset_name}_{camid}"
        return str(path), pid, camid
