"""Read a folder of parts, see `part_file`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from fastreid.utils.file_io.places import Place, open_place, require_pyarrow
from fastreid.utils.labels import UNKNOWN, LabelNames, number_labels

from .feature_file import FeatureSet
from .feature_table import ImageFeatures
from .part_file import (
    PREFIX,
    SUFFIX,
    PartColumns,
    PartError,
    PartInfo,
    read_columns,
    read_info,
    read_paths,
    require_same_model,
)


def list_parts(folder: Place) -> list[Place]:
    """List the parts in a folder, sorted by name; none if the folder does not exist.

    Args:
        folder: the folder; it is not searched recursively.
    """
    fs = require_pyarrow("fs")
    found = folder.files.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
    names = (entry.base_name for entry in found if entry.type == fs.FileType.File)
    return [
        folder.child(name)
        for name in sorted(names)
        if name.startswith(PREFIX) and name.endswith(SUFFIX)
    ]


def iterate_parts(folder: str | Path) -> Iterator[tuple[PartInfo, PartColumns]]:
    """Read the parts of a folder one after another; only one is in memory.

    Args:
        folder: output folder of tools/extract_features.py, a path or an address.

    Yields:
        The model, which is the same for all parts, and the rows of a part.

    Raises:
        PartError: the folder has no parts, parts of two models, or a damaged part.

    Examples:
        ::

            for info, rows in iterate_parts("features"):
                gallery.add(rows.paths, rows.features)
    """
    parts, info = _checked_parts(folder)
    for part in parts:
        yield info, read_columns(part)


def read_parts(folder: str | Path) -> FeatureSet:
    """Read all parts of a folder.

    Args:
        folder: output folder of tools/extract_features.py, a path or an address.

    Returns:
        All images, sorted by their paths, whatever parts they are in; an image that is in several
        parts is taken once. There are no queries. Labels are numbered as by `number_labels`.

    Raises:
        PartError: the folder has no parts, parts of two models, or a damaged part.
    """
    parts, info = _checked_parts(folder)
    everything = np.array([path for part in parts for path in read_paths(part)], np.str_)
    paths, first = np.unique(everything, return_index=True)
    # The row of the result for each row of the parts; -1: an image of an earlier row.
    target = np.full(len(everything), -1)
    target[first] = np.arange(len(first))
    table = _Rows(len(first))
    for part in parts:
        columns = read_columns(part)
        count = len(columns.paths)
        table.put(target[:count], columns)
        target = target[count:]
    names = LabelNames(table.pids.astype(np.str_), table.camids.astype(np.str_))
    images = ImageFeatures(table.features, _numbers(names.pids), _numbers(names.camids), paths)
    return FeatureSet(images.with_names(names), 0, PurePosixPath(str(folder)).name, info.config)


class _Rows:
    """Rows of parts, which are put to their places one part at a time."""

    def __init__(self, count: int) -> None:
        self.features = np.empty((count, 0), np.float32)
        self.pids = np.empty(count, object)
        self.camids = np.empty(count, object)

    def put(self, target: np.ndarray, columns: PartColumns) -> None:
        """Put the rows of a part to their places (R,); -1: a row is left out."""
        if not self.features.size:
            dimension = columns.features.shape[1]
            self.features = np.empty((len(self.features), dimension), np.float32)
        kept = np.flatnonzero(target >= 0)
        rows = target[kept]
        self.features[rows] = columns.features[kept]
        self.pids[rows] = np.array(columns.pids, object)[kept]
        self.camids[rows] = np.array(columns.camids, object)[kept]


def _numbers(texts: np.ndarray) -> np.ndarray:
    number_of = {"": UNKNOWN, **number_labels(text for text in texts.tolist() if text)}
    return np.array([number_of[text] for text in texts.tolist()], np.int64)


def _checked_parts(folder: str | Path) -> tuple[list[Place], PartInfo]:
    """List the parts of a folder; all are of one model."""
    parts = list_parts(open_place(folder))
    if not parts:
        raise PartError(
            f"{folder} has no parts ({PREFIX}*{SUFFIX}); create them with "
            "tools/extract_features.py."
        )
    info = read_info(parts[0])
    for part in parts[1:]:
        require_same_model(part, read_info(part), info)
    return parts, info
