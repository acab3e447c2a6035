"""Any images: listed in a CSV file, or in folders whose file names say identity and camera."""

from __future__ import annotations

import csv
import re
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from .bases import DATASET_REGISTRY, ImageDataset, Item
from .files import require_images, require_root

SPLITS = ("train", "query", "gallery")
COLUMNS = ("path", "pid", "camid", "split")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FILE_NAME = re.compile(r"(?P<pid>-?\d+)_c(?P<camid>\d+)")
JUNK_PID = "-1"


class _Row(NamedTuple):
    """One image: identity and camera as they are written."""

    path: Path
    pid: str
    camid: str
    split: str


@DATASET_REGISTRY.register()
class ImageList(ImageDataset):
    """Images of your own, for DATASETS.NAMES and DATASETS.TESTS.

    A CSV file has a first line with the columns path, pid, camid and split, in any order, others
    being passed over. Paths are relative to the file's folder; pid and camid are any text, and
    images with pid -1 are dropped; split is train, query or gallery.

    A folder has subfolders train, query and gallery, searched to any depth, with images that are
    named like 0002_c1_anything.jpg: identity 2, camera 1.

    Args:
        root: folder that a relative ``image_list`` lies in.
        image_list: DATASETS.IMAGE_LIST, the CSV file or the folder.
        combineall: train on query and gallery too.

    Raises:
        FileNotFoundError: there is no such file or folder, or an image is missing.
        ValueError: a line or a file name cannot be understood; the message says which.
    """

    dataset_name = "ImageList"

    def __init__(
        self,
        root: str | Path = "datasets",
        *,
        image_list: str | Path = "",
        combineall: bool = False,
    ) -> None:
        if not str(image_list):
            raise ValueError(
                "The data set ImageList needs DATASETS.IMAGE_LIST: a CSV file with the columns "
                f"{', '.join(COLUMNS)}, or a folder with {', '.join(SPLITS)}."
            )
        self._source = Path(image_list).expanduser()
        if not self._source.is_absolute() and not self._source.exists():
            self._source = require_root(root) / self._source
        super().__init__(
            self._train_items,
            partial(self._test_items, "query"),
            partial(self._test_items, "gallery"),
            combineall=combineall,
        )

    @cached_property
    def _rows(self) -> list[_Row]:
        if self._source.is_dir():
            rows = _rows_of_folder(self._source)
        elif self._source.is_file():
            rows = _rows_of_file(self._source)
            require_images([row.path for row in rows], self.dataset_name, self._source)
        else:
            raise FileNotFoundError(
                f"DATASETS.IMAGE_LIST names {self._source}, which is neither a file nor a folder."
            )
        return [row for row in rows if row.pid != JUNK_PID]

    def _train_items(self) -> list[Item]:
        name = self.dataset_name
        return [
            (str(row.path), f"{name}_{row.pid}", f"{name}_{row.camid}")
            for row in self._rows
            if row.split == "train"
        ]

    def identities_in_both(self) -> set:
        """Give the identities of training that query or gallery have too, as they are written."""
        trained = {row.pid for row in self._rows if row.split == "train"}
        return trained & {row.pid for row in self._rows if row.split != "train"}

    def _test_items(self, split: str) -> list[Item]:
        tested = [row for row in self._rows if row.split != "train"]
        pids, camids = (
            _numbers({row.pid for row in tested}),
            _numbers({row.camid for row in tested}),
        )
        return [
            (str(row.path), pids[row.pid], camids[row.camid])
            for row in tested
            if row.split == split
        ]


def _rows_of_file(path: Path) -> list[_Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"The first line of {path} must name the columns {', '.join(COLUMNS)}; it lacks "
                f"{', '.join(missing)}."
            )
        rows = [_row(path, reader.line_num, entry) for entry in reader]
    if not rows:
        raise ValueError(f"{path} lists no images.")
    return rows


def _row(path: Path, line: int, entry: dict[str, str | None]) -> _Row:
    values = {name: (entry[name] or "").strip() for name in COLUMNS}
    empty = [name for name, value in values.items() if not value]
    if empty:
        raise ValueError(f"Line {line} of {path} has no {', '.join(empty)}.")
    if values["split"] not in SPLITS:
        raise ValueError(
            f"Line {line} of {path} has the split {values['split']!r}; it must be one of "
            f"{', '.join(SPLITS)}."
        )
    return _Row(path.parent / values["path"], values["pid"], values["camid"], values["split"])


def _rows_of_folder(folder: Path) -> list[_Row]:
    rows = []
    for split in SPLITS:
        for path in find_images(folder / split):
            match = FILE_NAME.match(path.name)
            if match is None:
                raise ValueError(
                    f"The name of {path} does not begin with identity and camera, such as "
                    "0002_c1; rename it, or list the images in a CSV file."
                )
            rows.append(_Row(path, str(int(match["pid"])), str(int(match["camid"])), split))
    if not rows:
        raise ValueError(f"{folder} has no images in {', '.join(SPLITS)}.")
    return rows


def find_images(folder: Path) -> list[Path]:
    """List the images of a folder and of all folders in it, sorted.

    Args:
        folder: it may be missing: then there are none.

    Returns:
        Their paths; hidden files are passed over.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _numbers(names: set[str]) -> dict[str, int]:
    """Whole numbers stand for themselves; if any name is none, all are numbered in order."""
    if all(re.fullmatch(r"-?\d{1,9}", name) for name in names):
        return {name: int(name) for name in names}
    return {name: number for number, name in enumerate(sorted(names))}
