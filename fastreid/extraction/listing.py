"""List images: those of a folder, or those that a text file names, on any file system."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fastreid.data.datasets.files import listed_path, read_text, search_images
from fastreid.data.datasets.files.image_search import image_suffixes
from fastreid.utils.file_io.places import (
    Place,
    PlaceError,
    is_address,
    open_place,
    require_pyarrow,
)
from fastreid.utils.labels import normal_form
from fastreid.utils.messages.texts import list_some

logger = logging.getLogger(__name__)

LISTS = (".csv", ".txt", ".tsv", ".lst")
# Separators of fields that programs write.
_DELIMITERS = ",;\t"


class Listing(NamedTuple):
    """N images, in the order in which they are divided into parts.

    Attributes:
        paths: absolute paths, or addresses; each one once.
        pids: texts of the identities; "" if unknown.
        camids: texts of the cameras; "" if unknown.
    """

    paths: list[str]
    pids: list[str]
    camids: list[str]

    def without(self, paths: set[str]) -> Listing:
        """Return the images that are not in a set of paths."""
        rows = [row for row in zip(*self) if row[0] not in paths]
        return Listing(*map(list, zip(*rows))) if rows else Listing([], [], [])


def list_images(source: str | Path, pattern: re.Pattern) -> Listing:
    """List images with their labels.

    Args:
        source: a folder, which is searched recursively, or a file that lists images: a line for
            each path, or a CSV file whose first line names the columns path and, if labels are not
            in the file names, pid and camid. Relative paths start from the folder of the file. Both
            may be addresses of a file system that pyarrow reads, such as s3://bucket/folder.
        pattern: matches the beginning of file names; has the groups pid and camid.

    Returns:
        The images. Files that a list names need not exist.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: there are no images, the file cannot be read as a list, or a label is too large.
    """
    rows = _listed(source) if _is_list(source) else ((path, "", "") for path in _found(source))
    entries: dict[str, tuple[str, str]] = {}
    count = 0
    for path, pid, camid in rows:
        count += 1
        entries.setdefault(path, (pid, camid) if pid or camid else _labels(path, pattern))
    if not entries:
        raise ValueError(f"{source} has no images.")
    if count > len(entries):
        logger.warning("%s names %d images more than once", source, count - len(entries))
    unknown = [PurePosixPath(path).name for path, (pid, _) in entries.items() if not pid]
    if unknown:
        logger.info(
            "%d images have no known identity and camera (%s)", len(unknown), list_some(unknown)
        )
    pids, camids = zip(*entries.values())
    return Listing(list(entries), list(pids), list(camids))


def _labels(path: str, pattern: re.Pattern) -> tuple[str, str]:
    """Return identity and camera in a file name; both are "" unless the name has both."""
    match = pattern.match(PurePosixPath(path).name)
    pid, camid = ((match[name] or "").strip() for name in ("pid", "camid")) if match else ("", "")
    if not (pid and camid):
        return "", ""
    return _checked((pid, camid), f"The name of {path}")


def _checked(labels: tuple[str, str], place: str) -> tuple[str, str]:
    for text in filter(None, labels):
        try:
            normal_form(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    return labels


def _is_list(source: str | Path) -> bool:
    return PurePosixPath(str(source)).suffix.lower() in LISTS and not Path(str(source)).is_dir()


def _found(source: str | Path) -> Iterable[str]:
    """Find the images of a folder, sorted."""
    if is_address(str(source)):
        return _found_elsewhere(open_place(source))
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"--images {folder} is neither a folder nor a list.")
    found = search_images(folder.absolute())
    notes = found.describe(is_quiet=bool(found.images))
    if not found.images:
        raise ValueError(f"The folder {folder} has no images. {notes}".strip())
    if notes:
        logger.info("%s", notes)
    return map(str, found.images)


def _found_elsewhere(folder: Place) -> list[str]:
    fs = require_pyarrow("fs")
    try:
        entries = folder.files.get_file_info(fs.FileSelector(folder.path, recursive=True))
    except OSError as error:
        raise PlaceError(f"--images {folder.address} cannot be listed: {error}") from error
    suffixes = image_suffixes()
    paths = [
        folder._replace(path=entry.path).address
        for entry in entries
        if entry.type == fs.FileType.File
        and PurePosixPath(entry.path).suffix.lower() in suffixes
        and not _is_hidden(entry.path, folder.path)
    ]
    return sorted(paths)


def _is_hidden(path: str, folder: str) -> bool:
    inner = path[len(folder) :] if path.startswith(folder) else path
    return any(part.startswith(".") for part in PurePosixPath(inner.lstrip("/")).parts)


def _listed(source: str | Path) -> Iterator[tuple[str, str, str]]:
    """Read path, identity and camera from a file that lists images."""
    lines = _text_of(source).split("\n")
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    columns = [name.strip().strip('"').lower() for name in first.split(delimiter)]
    if "path" not in columns:
        if PurePosixPath(str(source)).suffix.lower() == ".csv":
            raise ValueError(
                f"The first line of {source} must name the column path, and may name pid and camid."
            )
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _absolute(source, line.strip(), number), "", ""
        return
    reader = csv.reader(
        io.StringIO("\n".join(lines), newline=""), delimiter=delimiter, skipinitialspace=True
    )
    try:
        next(fields for fields in reader if any(field.strip() for field in fields))
        for fields in reader:
            if any(field.strip() for field in fields):
                yield _row(source, dict(zip(columns, fields)), reader.line_num)
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num} of {source} cannot be read: {error}.") from error


def _row(source: str | Path, entry: dict[str, str], number: int) -> tuple[str, str, str]:
    path, pid, camid = (entry.get(name, "").strip() for name in ("path", "pid", "camid"))
    if not path:
        raise ValueError(f"Line {number} of {source} has no path.")
    _checked((pid, camid), f"Line {number} of {source}")
    return _absolute(source, path, number), pid, camid


def _absolute(source: str | Path, name: str, number: int) -> str:
    if is_address(name):
        return name
    if is_address(str(source)):
        return name if name.startswith("/") else f"{str(source).rpartition('/')[0]}/{name}"
    folder = Path(source).absolute().parent
    return str(listed_path(folder, name, place=f"line {number} of {source}"))


def _text_of(source: str | Path) -> str:
    if not is_address(str(source)):
        if not Path(source).is_file():
            raise FileNotFoundError(f"--images {source} does not exist.")
        return read_text(Path(source))
    place = open_place(source)
    try:
        with place.files.open_input_stream(place.path) as stream:
            return stream.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} is not UTF-8: {error}") from error
    except OSError as error:
        raise PlaceError(f"--images {source} cannot be read: {error}") from error
