"""A data set of any images: listed in a CSV file, or in folders, with labels in the file names."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastreid.config import CfgNode
from fastreid.utils.file_io.paths import absolute_path
from fastreid.utils.labels import (
    FILE_NAME,
    LabelNames,
    common_spellings,
    describe_labels,
    normal_form,
    number_labels,
)

from .bases import DATASET_REGISTRY, ImageDataset
from .construction import construct
from .files import (
    find_images,
    listed_path,
    read_text,
    require_images,
    require_root,
    search_images,
)
from .items import Item

__all__ = ["COLUMNS", "FILE_NAME", "SPLITS", "ImageList", "find_images"]

SPLITS = ("train", "query", "gallery")
COLUMNS = ("path", "pid", "camid", "split")
_HEADER = ", ".join(COLUMNS)
# Separators of fields that programs write.
_DELIMITERS = ",;\t"
JUNK_PID = -1

logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    """One image, with identity and camera as they are written in the file or its name."""

    path: Path
    pid: str
    camid: str
    split: str


@DATASET_REGISTRY.register()
class ImageList(ImageDataset):
    """A data set from a CSV file or a folder, for DATASETS.NAMES and DATASETS.TESTS.

    The first line of a CSV file names the columns path, pid, camid and split, in any order; other
    columns are ignored. Commas, semicolons or tabs separate the fields. Paths are relative to the
    folder of the file. pid and camid can be any text; `normal_form` makes 7 and 007 the same
    identity. Images with pid -1 are dropped. split is train, query or gallery.

    A folder has subfolders train, query and gallery, which may have subfolders of their own. Images
    are named like 0002_c1_anything.jpg: identity 2, camera 1.

    Args:
        root: folder that a relative ``image_list`` starts from.
        image_list: DATASETS.IMAGE_LIST, the CSV file or the folder.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: the file, the folder or an image does not exist.
        ValueError: a line or a file name is not valid; the message names it.
    """

    dataset_name = "ImageList"
    has_common_labels = True

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
                f"{_HEADER}, or a folder with {', '.join(SPLITS)}."
            )
        self._source = Path(image_list).expanduser()
        if not self._source.is_absolute() and not self._source.exists():
            self._source = require_root(root) / self._source
        # Absolute, because paths of images are stored in files that are read from other folders.
        self._source = absolute_path(self._source)
        super().__init__(
            self._train_items,
            partial(self._numbered_items, "query"),
            partial(self._numbered_items, "gallery"),
            combineall=combineall,
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, *, root: str, combineall: bool = False) -> ImageList:
        """Make the data set from the file or folder DATASETS.IMAGE_LIST.

        Args:
            cfg: DATASETS.IMAGE_LIST.
            root: folder that a relative DATASETS.IMAGE_LIST starts from.
            combineall: whether ``train`` includes query and gallery.
        """
        image_list = cfg.DATASETS.IMAGE_LIST
        return construct(cls, {"root": root, "combineall": combineall, "image_list": image_list})

    @cached_property
    def _rows(self) -> list[_Row]:
        if self._source.is_dir():
            rows = self._rows_of_folders()
        elif self._source.is_file():
            rows = _rows_of_file(self._source)
            paths = require_images([row.path for row in rows], self.dataset_name, self._source)
            rows = [row._replace(path=path) for row, path in zip(rows, paths)]
        else:
            raise FileNotFoundError(
                f"DATASETS.IMAGE_LIST names {self._source}, which is neither a file nor a folder."
            )
        remarks = describe_labels({row.pid for row in rows}, "identities")
        for remark in [*remarks, *describe_labels({row.camid for row in rows}, "cameras")]:
            logger.warning("%s: %s", self._source, remark)
        return [row for row in rows if normal_form(row.pid) != JUNK_PID]

    def _rows_of(self, *splits: str) -> list[_Row]:
        return [row for split in splits for row in self._rows if row.split == split]

    def _rows_of_folders(self) -> list[_Row]:
        rows = []
        for split in SPLITS:
            if (self._source / split).is_dir():
                found = search_images(self._source / split)
                self.note_search(found)
                rows += [_row_of_name(path, split) for path in found.images]
        if not rows:
            raise ValueError(f"{self._source} has no images in {', '.join(SPLITS)}.")
        return rows

    def _train_items(self) -> list[Item]:
        name, rows = self.dataset_name, self._rows_of("train")
        # The spelling determines the order of the classes, which must be stable for resumed runs.
        pids = common_spellings(row.pid for row in rows)
        camids = common_spellings(row.camid for row in rows)
        return [
            (str(row.path), f"{name}_{pids[row.pid]}", f"{name}_{camids[row.camid]}")
            for row in rows
        ]

    def identities_in_both(self) -> set:
        """Give the training identities that are in query or gallery too, as texts."""
        return {str(pid) for pid in super().identities_in_both() or ()}

    def label_names(self) -> LabelNames:
        """Give the original identities and cameras of the queries, then of the gallery images."""
        rows = self._rows_of("query", "gallery")
        pids, camids = [row.pid for row in rows], [row.camid for row in rows]
        return LabelNames(np.array(pids, np.str_), np.array(camids, np.str_))

    def _numbered_items(self, split: str) -> list[Item]:
        # Query and gallery are numbered together.
        tested = self._rows_of("query", "gallery")
        pids = number_labels(row.pid for row in tested)
        camids = number_labels(row.camid for row in tested)
        return [(str(row.path), pids[row.pid], camids[row.camid]) for row in self._rows_of(split)]


def _rows_of_file(path: Path) -> list[_Row]:
    text = read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = next((_columns(path, fields) for fields in reader if any(fields)), None)
        if columns is None:
            raise ValueError(f"{path} is empty; its first line must name the columns {_HEADER}.")
        rows = [
            _row(
                path, reader.line_num, _entry(columns, fields, f"Line {reader.line_num} of {path}")
            )
            for fields in reader
            if any(field.strip() for field in fields)
        ]
    except csv.Error as error:
        raise ValueError(
            f"Line {reader.line_num} of {path} cannot be read: {error}. Is a closing quote missing?"
        ) from error
    if not rows:
        raise ValueError(f"{path} lists no images.")
    return rows


def _columns(path: Path, fields: Sequence[str]) -> list[str]:
    """Names of the columns, from the first line."""
    columns = [name.strip().lower() for name in fields]
    missing = [name for name in COLUMNS if name not in columns]
    twice = [name for name in COLUMNS if columns.count(name) > 1]
    if missing or twice:
        fault = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(twice)} twice"
        raise ValueError(
            f"The first line of {path} must name the columns {_HEADER}, with commas, semicolons or "
            f"tabs between them; it {fault}."
        )
    return columns


def _entry(columns: Sequence[str], fields: Sequence[str], place: str) -> dict[str, str]:
    """Fields of a line by the names of their columns."""
    if any(field.strip() for field in fields[len(columns) :]):
        raise ValueError(
            f"{place} has {len(fields)} fields, the first line {len(columns)}. A path that holds "
            "a comma or another separator must be in double quotes."
        )
    entry = dict(zip(columns, fields))
    if any("\n" in value for value in entry.values()):
        raise ValueError(f"{place} ends a field of an earlier line: a quote is missing.")
    return entry


def _row(path: Path, line: int, entry: Mapping[str, str]) -> _Row:
    values = {name: entry.get(name, "").strip() for name in COLUMNS}
    empty = [name for name, value in values.items() if not value]
    if empty:
        raise ValueError(f"Line {line} of {path} has no {', '.join(empty)}.")
    if values["split"] not in SPLITS:
        raise ValueError(
            f"Line {line} of {path} has the split {values['split']!r}; it must be one of "
            f"{', '.join(SPLITS)}."
        )
    for name in ("pid", "camid"):
        try:
            normal_form(values[name])
        except ValueError as error:
            raise ValueError(f"Line {line} of {path}, {name}: {error}") from error
    image = listed_path(path.parent, values["path"], place=f"line {line} of {path}")
    return _Row(image, values["pid"], values["camid"], values["split"])


def _row_of_name(path: Path, split: str) -> _Row:
    match = FILE_NAME.match(path.name)
    if match is None:
        raise ValueError(
            f"The name of {path} does not start with identity and camera, such as 0002_c1; rename "
            "it, or list the images in a CSV file."
        )
    try:
        pid, camid = (str(normal_form(match[name])) for name in ("pid", "camid"))
    except ValueError as error:
        raise ValueError(f"The name of {path}: {error}") from error
    return _Row(path, pid, camid, split)
