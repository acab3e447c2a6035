"""Read the images of a folder whose paths contain identity and camera."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fastreid.utils.labels import normal_form, whole_number

from ..files import (
    Search,
    list_images,
    listed_path,
    read_entries,
    require_file,
    require_folder,
    require_images,
)


class Part(NamedTuple):
    """Where the images of one split are, and how identity and camera are read from their paths.

    Attributes:
        folders: folders below that of the data set, searched with all subfolders; "a|b" is the
            first of a and b that exists, "." the folder of the data set itself.
        path: regular expression with named groups that matches the beginning of a path relative to
            the folder of the data set, such as "train/0007_c3s1_000451.jpg".
        pid: identity, as a format of the groups: "{pid}", or "{scene}-{pid}".
        camid: camera, as a format of the groups; a text without groups is one camera for all.
        first_camera: number of the first camera, if cameras are numbers and count from 0 here; None
            leaves the text as it is.
        pids: smallest and largest identity to use; None: all.
        list_file: text file below the folder that names the images, one a line; "": the folders are
            searched.
    """

    folders: tuple[str, ...]
    path: str
    pid: str = "{pid}"
    camid: str = "{camid}"
    first_camera: int | None = None
    pids: tuple[int, int] | None = None
    list_file: str = ""


class Labelled(NamedTuple):
    """An image, with identity and camera as texts."""

    path: Path
    pid: str
    camid: str


def read_part(
    part: Part, data_dir: Path, dataset: str, *, note_search: Callable[[Search], None]
) -> list[Labelled]:
    """List the images of a split, sorted by path.

    Args:
        part: the split.
        data_dir: folder of the data set.
        dataset: name of the data set, for error messages.
        note_search: called with the result of each search of a folder.

    Returns:
        The images.

    Raises:
        FileNotFoundError: a folder, the list or a listed image is missing.
        ValueError: a folder has no images, or a path does not match ``part.path``.
    """
    images = _images(part, data_dir, dataset, note_search)
    return label_images(part, images, data_dir, dataset)


def label_images(part: Part, paths: Iterable[Path], data_dir: Path, dataset: str) -> list[Labelled]:
    """Read identity and camera from the paths of images.

    Args:
        part: the split.
        paths: the images, all below `data_dir`.
        data_dir: folder of the data set.
        dataset: name of the data set, for error messages.

    Returns:
        The images whose identity is in ``part.pids``, in the same order.

    Raises:
        ValueError: a path does not match ``part.path``.
    """
    pattern = re.compile(part.path)
    # "./" is not part of the texts of paths.
    start = 0 if data_dir == Path() else len(str(data_dir)) + 1
    labelled = []
    for path in paths:
        # Slicing is much faster than Path.relative_to for a million images.
        match = pattern.match(str(path)[start:].replace(os.sep, "/"))
        if match is None:
            raise ValueError(
                f"{dataset}: the path {path} does not match {part.path!r} below {data_dir}, so its "
                "identity and camera are unknown; rename or remove the file."
            )
        try:
            found = _labels(part, match.groupdict())
        except ValueError as error:
            raise ValueError(f"{dataset}: the name of {path}: {error}") from error
        if found is not None:
            labelled.append(Labelled(path, *found))
    return labelled


def exists(part: Part, data_dir: Path) -> bool:
    """Tell whether all folders of a split exist.

    Args:
        part: the split.
        data_dir: folder of the data set.
    """
    return all(
        any((data_dir / name).is_dir() for name in names.split("|")) for names in part.folders
    )


def _images(
    part: Part, data_dir: Path, dataset: str, note_search: Callable[[Search], None]
) -> Iterator[Path]:
    if part.list_file:
        yield from _listed_images(data_dir, part.list_file, dataset)
        return
    for names in part.folders:
        found = list_images(_first_folder(names, data_dir, dataset), dataset, is_deep=True)
        note_search(found)
        yield from found.images


def _first_folder(names: str, data_dir: Path, dataset: str) -> Path:
    first, *others = names.split("|")
    for name in (first, *others):
        if (data_dir / name).is_dir():
            return data_dir / name
    return require_folder(data_dir / first, dataset)


def _listed_images(data_dir: Path, list_file: str, dataset: str) -> list[Path]:
    file = require_file(data_dir / list_file, dataset)
    entries = read_entries(file, dataset)
    paths = [listed_path(data_dir, name, place=place, is_below=True) for place, name in entries]
    return require_images(paths, dataset, file)


def _labels(part: Part, groups: dict[str, str]) -> tuple[str, str] | None:
    """Identity and camera; None if the identity is not used."""
    pid, camid = part.pid.format(**groups), part.camid.format(**groups)
    for label in (pid, camid):
        normal_form(label)
    if part.pids is not None and not part.pids[0] <= whole_number(pid) <= part.pids[1]:
        return None
    if part.first_camera is not None:
        camid = str(whole_number(camid) - part.first_camera)
    return pid, camid
