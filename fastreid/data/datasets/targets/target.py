"""The base class of the small data sets that domain generalization is tested on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

from ..bases import ImageDataset
from ..counts import Counts
from ..files import MissingPartError, require_images, require_root
from ..items import Item
from ..layouts import Labelled, Part, exists, label_images, read_part, test_items, train_items
from ..preparation.split_file import SplitFile
from .split_checks import check_split

logger = logging.getLogger(__name__)

# Value of DATASETS.SPLIT for training on all images, as fast-reid does.
NO_SPLIT = -1


class TargetDataset(ImageDataset):
    """A small data set with several random splits into training and test identities.

    With ``split_id`` 0 or more, ``train``, ``query`` and ``gallery`` are those of the split, as in
    ACL. With ``split_id`` -1, ``train`` is all images of the folder that fast-reid reads, and there
    is no query and no gallery. If only fast-reid's folder exists, every ``split_id`` means -1,
    with a warning.

    Subclasses define:
        dataset_dir: folder of the release under the data root.
        num_splits: number of the splits.
        release: the images of the release, with train, query and gallery.
        whole_dir: folder under the data root that fast-reid reads.
        whole: the images that fast-reid reads.
        way_out: what to do about a split that is wrong; "": remove the file.

    Args:
        root: folder that holds the data sets.
        split_id: number of the split (DATASETS.SPLIT).
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: neither folder exists, or the release is incomplete.
        ValueError: ``split_id`` is below -1.
    """

    has_common_labels = True
    dataset_dir = ""
    num_splits = 10
    release: Part
    whole_dir = ""
    whole: Part
    way_out = ""
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
        # Without a split, query and gallery cannot be read.
        return (super().identities_in_both() or set()) if self.has_split else set()

    def _read_split_file(self) -> SplitFile:
        """Read the splits."""
        raise NotImplementedError

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        """Give the images of train, query and gallery, as paths relative to ``data_dir``."""
        raise NotImplementedError

    @cached_property
    def _split_file(self) -> SplitFile:
        found = self._read_split_file()
        if len(found.splits) < self.num_splits:
            logger.warning(
                "%s: %s has %d of %d splits",
                *(self.dataset_name, found.path, len(found.splits), self.num_splits),
            )
        return found

    @cached_property
    def _images(self) -> Mapping[str, list[Labelled]]:
        """The images of the split, checked; their files need not exist."""
        path, splits, _ = self._split_file
        if self.split_id >= len(splits):
            raise ValueError(
                f"DATASETS.SPLIT is {self.split_id}, but {path} of {self.dataset_name} has "
                f"{len(splits)} splits, from 0."
            )
        place = f"{self.dataset_name}: split {self.split_id} of {path}"
        images = {}
        for part, names in self._names(splits[self.split_id]).items():
            paths = [self.data_dir / name for name in names]
            try:
                images[part] = label_images(self.release, paths, self.data_dir, self.dataset_name)
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from error
        check_split(images, place, self.way_out)
        return images

    def _require_one_folder(self) -> None:
        if self.split_id != NO_SPLIT:
            self._require_complete_release()
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

    def _require_complete_release(self) -> None:
        folders = [self.data_dir / name for name in self.release.folders]
        missing = [folder for folder in folders if not folder.is_dir()]
        # Folders that only a release has: those of images, and those between them and the data set.
        own = {above for folder in folders for above in (folder, *folder.parents)}
        own -= {self._whole_dir, *self._whole_dir.parents}
        if missing and any(folder.is_dir() for folder in own):
            raise MissingPartError(
                f"{self.dataset_name}: the folder {missing[0]} is missing, but other parts of the "
                f"release exist in {self.data_dir}. Is the data set unpacked completely? With "
                f"DATASETS.SPLIT {NO_SPLIT}, the release is not read."
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
        if self.split_id != NO_SPLIT:
            logger.warning(
                "%s: there is no split %d, because %s does not exist; train is all images of %s, "
                "as with DATASETS.SPLIT %d.",
                *(self.dataset_name, self.split_id, _folders(self.data_dir, self.release)),
                *(_folders(self._whole_dir, self.whole), NO_SPLIT),
            )
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
        paths = [image.path for image in self._images[split]]
        found = require_images(paths, self.dataset_name, self.split_file)
        return label_images(self.release, found, self.data_dir, self.dataset_name)


def _folders(data_dir: Path, part: Part) -> str:
    return ", ".join(str(data_dir / name) for name in part.folders)
