"""The base class of the small data sets that domain generalization is tested on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

from fastreid.utils.labels import normal_form

from ..bases import ImageDataset
from ..counts import Counts
from ..files import MissingPartError, require_images, require_root
from ..items import Item
from ..layouts import Part, exists, label_images, read_part, test_items, train_items
from ..preparation.split_file import SplitFile

logger = logging.getLogger(__name__)

# Value of DATASETS.SPLIT for training on all images, as fast-reid does.
NO_SPLIT = -1


class TargetDataset(ImageDataset):
    """A small data set with several random splits into training and test identities.

    With ``split_id`` 0 or more, ``train``, ``query`` and ``gallery`` are those of the split, as in
    ACL. With ``split_id`` -1, ``train`` is all images of the folder that fast-reid reads, and there
    is no query and no gallery. If only fast-reid's folder exists, every ``split_id`` means -1.

    Subclasses define:
        dataset_dir: folder of the release under the data root.
        num_splits: number of the splits.
        release: the images of the release, with train, query and gallery.
        whole_dir: folder under the data root that fast-reid reads.
        whole: the images that fast-reid reads.

    Args:
        root: folder that holds the data sets.
        split_id: number of the split (DATASETS.SPLIT).
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: neither folder exists.
        ValueError: ``split_id`` is below -1.
    """

    dataset_dir = ""
    num_splits = 10
    release: Part
    whole_dir = ""
    whole: Part
    published: Mapping[str, Counts] = {}

    def __init__(
        self, root: str | Path = "datasets", *, split_id: int = 0, combineall: bool = False
    ) -> None:
        if split_id < NO_SPLIT:
            raise ValueError(
                f"DATASETS.SPLIT is {split_id}; it must be 0 to {self.num_splits - 1} for "
                f"{self.dataset_name}, or {NO_SPLIT} to train on all its images."
            )
        root = require_root(root)
        self.split_id = split_id
        self.data_dir = root / self.dataset_dir
        self._whole_dir = root / self.whole_dir
        self._require_one_folder()
        super().__init__(
            self._read_train,
            partial(self._read_test, "query"),
            partial(self._read_test, "gallery"),
            combineall=combineall,
            published=self.published if self.has_split else None,
        )

    @property
    def has_split(self) -> bool:
        """Whether the images are divided by a split; False: all of them are for training."""
        return self.split_id != NO_SPLIT and exists(self.release, self.data_dir)

    @property
    def split_file(self) -> Path:
        """The file that the splits are read from."""
        return self._split_file.path

    @property
    def split_sha256(self) -> str:
        """Checksum of `split_file`, 64 hexadecimal digits."""
        return self._split_file.sha256

    def prepare(self) -> None:
        """Draw the splits, if they must be drawn."""
        if self.has_split:
            self._split_file  # noqa: B018 - a cached property, which writes the file

    def identities_in_both(self) -> set:
        """Give the training identities that are in query or gallery too."""
        if not self.has_split:
            return set()
        prefix = len(f"{self.dataset_name}_")
        trained = {normal_form(pid[prefix:]) for _, pid, _ in self._load("train")}
        return trained & {pid for _, pid, _ in [*self.query, *self.gallery]}

    def _read_split_file(self) -> SplitFile:
        """Read the splits."""
        raise NotImplementedError

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        """Give the images of train, query and gallery, as paths relative to ``data_dir``."""
        raise NotImplementedError

    @cached_property
    def _split_file(self) -> SplitFile:
        return self._read_split_file()

    @cached_property
    def _images(self) -> Mapping[str, list[str]]:
        path, splits, _ = self._split_file
        if self.split_id >= len(splits):
            raise ValueError(
                f"DATASETS.SPLIT is {self.split_id}, but {path} of {self.dataset_name} has "
                f"{len(splits)} splits, from 0."
            )
        return self._names(splits[self.split_id])

    def _require_one_folder(self) -> None:
        if self.has_split or exists(self.whole, self._whole_dir):
            return
        wanted = [f"{_folders(self._whole_dir, self.whole)} (for training only)"]
        if self.split_id != NO_SPLIT:
            release = f"{_folders(self.data_dir, self.release)} (for training and testing)"
            wanted.insert(0, release)
        raise MissingPartError(
            f"{self.dataset_name}: there is no {' and no '.join(wanted)}. "
            "FASTREID_DATASETS is the folder that contains the data sets; datasets/README.md shows "
            "the layout."
        )

    def _read_train(self) -> list[Item]:
        if self.has_split:
            if exists(self.whole, self._whole_dir):
                logger.info(
                    "%s: train is that of split %d. With DATASETS.SPLIT %d it is all images of %s, "
                    "as in fast-reid.",
                    *(self.dataset_name, self.split_id, NO_SPLIT, self._whole_dir),
                )
            return train_items(self._read("train"), self.dataset_name)
        images = read_part(
            self.whole, self._whole_dir, self.dataset_name, note_search=self.note_search
        )
        return train_items(images, self.dataset_name)

    def _read_test(self, split: str) -> list[Item]:
        if self.has_split:
            return test_items(self._read(split))
        if self.split_id == NO_SPLIT:
            return []
        raise MissingPartError(
            f"{self.dataset_name} has no {split}: it is read from "
            f"{_folders(self.data_dir, self.release)}, and not all of these folders exist. "
            f"{self._whole_dir} is for training only."
        )

    def _read(self, split: str) -> list:
        paths = [self.data_dir / name for name in self._images[split]]
        found = require_images(paths, self.dataset_name, self.split_file)
        return label_images(self.release, found, self.data_dir, self.dataset_name)


def _folders(data_dir: Path, part: Part) -> str:
    return ", ".join(str(data_dir / name) for name in part.folders)


def identities_of(listed: list, split_file: Path) -> list[int]:
    """Check the identities that a split lists.

    Args:
        listed: integers.
        split_file: file of the split, for the message.

    Raises:
        ValueError: an entry is not an integer.
    """
    for entry in listed:
        if type(entry) is not int:
            raise ValueError(_unexpected(split_file, entry, "an identity"))
    return listed


def names_of(listed: list, split_file: Path, *, depth: int) -> list[str]:
    """Give the names of the images that a split lists.

    Args:
        listed: paths, or lists that begin with a path. Only their last parts count, so that files
            from another machine can be used.
        split_file: file of the split, for the message.
        depth: number of parts of a name: 1 for a file name, 2 for folder and file name.

    Returns:
        The names, with "/" between folder and file name.

    Raises:
        ValueError: an entry has another form.
    """
    names = []
    for entry in listed:
        path = entry[0] if isinstance(entry, list) and entry else entry
        parts = path.replace("\\", "/").split("/") if isinstance(path, str) else []
        if len(parts) < depth:
            raise ValueError(_unexpected(split_file, entry, "the path of an image"))
        names.append("/".join(parts[-depth:]))
    return names


def _unexpected(split_file: Path, entry: object, expected: str) -> str:
    return (
        f"{split_file} has the entry {entry!r:.100}, which is not {expected}: it is of another "
        "program or version. Remove it to have the splits drawn again."
    )
