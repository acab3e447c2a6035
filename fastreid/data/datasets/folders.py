"""Data sets that are folders of images with identity and camera in the file names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from fastreid.utils.labels import whole_number

from .bases import ImageDataset
from .counts import Counts
from .files import list_images, require_folder, require_root
from .items import Item


class FolderDataset(ImageDataset):
    """Base class of data sets whose layout is given by class attributes.

    Subclasses define:
        dataset_name: registered name; the prefix of training identities and cameras.
        dataset_dir: folder under the data root.
        splits: folders of "train", "query" and "gallery" under ``dataset_dir``.
        file_name: pattern of the start of file names, with the groups "pid" and, unless ``cameras``
            has the split, "camid", counted from 1.
        suffixes: suffixes of the images, in lower case; none: those of all image formats.
        cameras: camera, counted from 0, of the splits whose file names have no camera.
        dropped_pids: identities whose images are not used at all.
        published: published sizes of the splits.

    Args:
        root: folder that holds the data sets.
        combineall: whether ``train`` includes query and gallery.
    """

    has_common_labels = True
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

    def _as_item(self, path: Path, split: str) -> Item | None:
        match = self.file_name.match(path.name)
        if match is None:
            raise ValueError(
                f"{self.dataset_name}: the name of {path} does not start with "
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
