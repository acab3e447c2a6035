"""The folder of the parts: what is in it, and writing files that are complete or absent."""

from __future__ import annotations

import csv
import io
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastreid.evaluation.features.part_file import (
    DamagedPartError,
    PartInfo,
    read_info,
    read_paths,
    require_same_model,
)
from fastreid.evaluation.features.part_folder import list_parts
from fastreid.utils.file_io.places import Place, open_place, require_pyarrow
from fastreid.utils.processes import is_running

logger = logging.getLogger(__name__)

# The list of images that cannot be read.
UNREADABLE = "unreadable.csv"
_COLUMNS = ("path", "reason")
_UNFINISHED = re.compile(r"\.unfinished-(?P<host>[\w-]+)-(?P<pid>\d+)-[0-9a-f]{8}")
# Unfinished files of other machines are removed when this old: their processes cannot be seen.
_QUIET_SECONDS = 24 * 3600.0
_THREADS = 16


class OutputFolder:
    """A folder of parts; several processes and machines may write to it.

    Args:
        address: path or address of the folder, which need not exist.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self._unfinished = f".unfinished-{_host()}-{os.getpid()}-{secrets.token_hex(4)}"

    @property
    def place(self) -> Place:
        """The folder on its file system."""
        return open_place(self.address)

    def finished_paths(self, info: PartInfo) -> set[str]:
        """Give the images that have features already.

        A damaged part is removed, so that its images are computed again.

        Args:
            info: the model of this extraction.

        Raises:
            PartError: a part is of another model.
            OSError: a part cannot be read.
        """
        parts = list_parts(self.place)
        # Files on other machines are slow to open, not to read.
        with ThreadPoolExecutor(_THREADS) as pool:
            damaged = set(pool.map(lambda part: _damaged(part, info), parts)) - {None}
            whole = [part for part in parts if part.path not in damaged]
            finished = {path for paths in pool.map(read_paths, whole) for path in paths}
        for part in parts:
            if part.path in damaged:
                part.files.delete_file(part.path)
        return finished

    def write(self, name: str, content: bytes) -> None:
        """Write a file; it appears under its name when it is complete.

        Args:
            name: name of the file; a file of this name is replaced.
            content: bytes, or a buffer of pyarrow.
        """
        folder = self.place
        files, unfinished = folder.files, folder.child(self._unfinished)
        files.create_dir(unfinished.path, recursive=True)
        temporary = unfinished.child(f"{secrets.token_hex(4)}-{name}").path
        with files.open_output_stream(temporary) as stream:
            stream.write(content)
        if folder.is_local:
            _flush(temporary)
        files.move(temporary, folder.child(name).path)

    def write_unreadable(self, entries: Iterable[Sequence[str]], tried: set[str]) -> int:
        """Update the list of images that cannot be read.

        Args:
            entries: path and reason of each image that this extraction could not read.
            tried: paths of all images that it tried; their older entries are dropped.

        Returns:
            The number of entries, older ones included.
        """
        place = self.place.child(UNREADABLE)
        fs = require_pyarrow("fs")
        exists = place.files.get_file_info(place.path).type == fs.FileType.File
        older: list[list[str]] = []
        if exists:
            with place.files.open_input_stream(place.path) as stream:
                text = stream.read().decode("utf-8", "surrogateescape")
            older = [row for row in csv.reader(io.StringIO(text)) if row and row[0] not in tried]
        rows = sorted([*older[1:], *map(list, entries)])
        if rows:
            stream = io.StringIO()
            csv.writer(stream, lineterminator="\n").writerows([_COLUMNS, *rows])
            self.write(UNREADABLE, stream.getvalue().encode("utf-8", "surrogateescape"))
        elif exists:
            place.files.delete_file(place.path)
        return len(rows)

    def remove_unfinished(self, *, own: bool) -> None:
        """Remove files that were not finished.

        Args:
            own: True for those of this extraction, whose processes have ended; False for those of
                extractions that were killed.
        """
        folder, fs = self.place, require_pyarrow("fs")
        for entry in folder.files.get_file_info(fs.FileSelector(folder.path, allow_not_found=True)):
            match = _UNFINISHED.fullmatch(entry.base_name)
            is_own = entry.base_name == self._unfinished
            if match and (is_own if own else not is_own and _is_abandoned(match, entry.mtime_ns)):
                folder.files.delete_dir(entry.path)


def _damaged(part: Place, info: PartInfo) -> str | None:
    """Return the path of a part that is damaged, None for one that is not."""
    try:
        found = read_info(part)
    except DamagedPartError as error:
        logger.warning("%s It is computed again.", error)
        return part.path
    require_same_model(part, found, info)
    return None


def _is_abandoned(match: re.Match, changed_ns: int | None) -> bool:
    if match["host"] == _host():
        return not is_running(int(match["pid"]))
    return changed_ns is not None and time.time() - changed_ns / 1e9 > _QUIET_SECONDS


def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:64]


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
