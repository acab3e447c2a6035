"""MSMT17, versions 1 and 2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fastreid.utils.labels import whole_number

from .bases import DATASET_REGISTRY, ImageDataset
from .counts import Counts
from .files import (
    listed_path,
    read_lines,
    require_file,
    require_folder,
    require_images,
    require_root,
)
from .items import Item


class _Version(NamedTuple):
    """Folder names of a release of MSMT17."""

    folder: str
    train: str
    test: str


# The first version that exists is used. Version 2 has the same images, with blurred faces.
_VERSIONS = (
    _Version("MSMT17_V1", "train", "test"),
    _Version("MSMT17_V2", "mask_train_v2", "mask_test_v2"),
)
_IMAGE_NAME = re.compile(r"[0-9]+_[0-9]+_0*(?P<camid>[1-9][0-9]*)_")
_PUBLISHED = {
    "train": Counts(1041, 30248),
    "query": Counts(3060, 11659),
    "gallery": Counts(3060, 82161),
}


@DATASET_REGISTRY.register()
class MSMT17(ImageDataset):
    """Wei et al., "Person Transfer GAN to Bridge Domain Gap", CVPR 2018; 15 cameras.

    Training uses list_train.txt; ``combineall`` adds list_val.txt, query and gallery. The lists
    number test identities from 0; as in the original, they are renumbered to follow those of
    list_train.txt.

    Args:
        root: folder that holds MSMT17_V1 or MSMT17_V2; if both exist, V1 is used.
        combineall: whether ``train`` includes list_val.txt, query and gallery.

    Raises:
        FileNotFoundError: neither version exists.
    """

    dataset_name = "MSMT17"
    counts_source = "Wei et al., CVPR 2018"

    def __init__(self, root: str | Path = "datasets", *, combineall: bool = False) -> None:
        version = self._find_version(require_root(root))
        self.data_dir = Path(root).expanduser() / version.folder
        self.version = version.folder
        self._train_dir = self.data_dir / version.train
        self._test_dir = self.data_dir / version.test
        super().__init__(
            self._read_train,
            lambda: self._read_test("list_query.txt"),
            lambda: self._read_test("list_gallery.txt"),
            combineall=combineall,
            published=None if combineall else _PUBLISHED,
        )

    def _find_version(self, root: Path) -> _Version:
        for version in _VERSIONS:
            if (root / version.folder).is_dir():
                return version
        folders = " nor ".join(str(root / version.folder) for version in _VERSIONS)
        raise FileNotFoundError(
            f"{self.dataset_name}: neither {folders} exists (FASTREID_DATASETS is the folder "
            "that contains them). datasets/README.md shows their layout."
        )

    def _read_train(self) -> list[Item]:
        names = ["list_train.txt", "list_val.txt"] if self.combineall else ["list_train.txt"]
        prefix = f"{self.dataset_name}_"
        return [
            (path, f"{prefix}{pid}", f"{prefix}{camid}")
            for name in names
            for path, pid, camid in self._read_images(name, self._train_dir)
        ]

    def _read_test(self, name: str) -> list[Item]:
        num_train_pids = len({pid for _, pid, _ in self._read_list("list_train.txt")})
        return [
            (path, pid + num_train_pids, camid)
            for path, pid, camid in self._read_images(name, self._test_dir)
        ]

    def _read_images(self, name: str, folder: Path) -> list[Item]:
        require_folder(folder, self.dataset_name)
        list_file = self.data_dir / name
        listed = self._read_list(name)
        paths = require_images(
            [
                listed_path(folder, image, place=f"line {line} of {list_file}", is_below=True)
                for image, _, line in listed
            ],
            self.dataset_name,
            list_file,
        )
        return [
            (str(path), pid, self._camera_of(image)) for path, (image, pid, _) in zip(paths, listed)
        ]

    def _read_list(self, name: str) -> list[tuple[str, int, int]]:
        """Read image, identity and line number of each entry, sorted."""
        path = require_file(self.data_dir / name, self.dataset_name)
        listed = []
        for number, line in enumerate(read_lines(path), start=1):
            # Names of images may contain spaces.
            words = line.rsplit(maxsplit=1)
            if not words:
                continue
            if len(words) != 2 or not words[1].isdecimal():
                raise ValueError(
                    f'{self.dataset_name}: line {number} of {path} is {line!r}; it must be "'
                    '<image> <identity>".'
                )
            # Lists may come from Windows; the order of the images must not depend on that.
            image = words[0].strip().strip('"').replace("\\", "/")
            try:
                listed.append((image, whole_number(words[1]), number))
            except ValueError as error:
                raise ValueError(
                    f"{self.dataset_name}: line {number} of {path}: {error}"
                ) from error
        if not listed:
            raise ValueError(f"{self.dataset_name}: the list {path} is empty.")
        return sorted(listed)

    def _camera_of(self, image: str) -> int:
        match = _IMAGE_NAME.match(Path(image).name)
        if match is None:
            raise ValueError(
                f"{self.dataset_name}: the name of {image} does not start with "
                "<identity>_<number>_<camera>_, camera from 1."
            )
        return whole_number(match["camid"]) - 1
