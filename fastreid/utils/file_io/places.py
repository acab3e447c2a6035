"""Files on this machine and on file systems of other machines, such as S3, by pyarrow."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..messages.errors import ExplainedError

# "s3://bucket/folder", "file:///folder".
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class PlaceError(ExplainedError, OSError):
    """A file or folder on a file system cannot be reached; the message names it."""


class Place(NamedTuple):
    """A file or folder and the file system that it is on.

    Attributes:
        files: a ``pyarrow.fs.FileSystem``.
        path: path on that file system.
        prefix: what to put before a path of the file system to get an address.
    """

    files: Any
    path: str
    prefix: str

    def child(self, name: str) -> Place:
        """Return the file or folder of a name in this folder."""
        return self._replace(path=f"{self.path.rstrip('/')}/{name}")

    @property
    def address(self) -> str:
        """The path or address by which a user, or `open_place`, finds it again."""
        return self.prefix + self.path

    @property
    def is_local(self) -> bool:
        """Whether it is on a file system that this machine has mounted."""
        return self.files.type_name == "local"


def is_address(text: str) -> bool:
    """Return whether a text is an address such as s3://bucket/folder, and not a path."""
    return _ADDRESS.match(text) is not None


def path_or_address(word: str) -> Path | str:
    """Convert a command-line argument to a path, or keep an address; for ``type=`` of argparse.

    Args:
        word: the argument. A leading "~" of a path is expanded.

    Raises:
        argparse.ArgumentTypeError: the argument is empty, or names the home folder of an unknown
            user.
    """
    if not word:
        raise argparse.ArgumentTypeError("the path is empty")
    try:
        return word if is_address(word) else Path(word).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{word!r}: there is no such home folder") from error


def open_place(where: str | Path) -> Place:
    """Find the file system of a file or folder, which need not exist.

    Args:
        where: a path, or an address of a file system that pyarrow reads: s3://, gs://, hdfs://,
            file://.

    Raises:
        ImportError: pyarrow is not installed.
        PlaceError: the file system is unknown or cannot be reached.
    """
    fs = require_pyarrow("fs")
    if not is_address(str(where)):
        return Place(fs.LocalFileSystem(), str(Path(where).absolute()), "")
    address = str(where)
    try:
        files, path = fs.FileSystem.from_uri(address)
    except (ValueError, OSError, NotImplementedError) as error:
        raise PlaceError(f"{address} cannot be opened: {error}") from error
    if files.type_name == "local":
        return Place(files, path, "")
    prefix = address[: address.rindex(path)] if path in address else f"{files.type_name}://"
    return Place(files, path, prefix)


def require_pyarrow(module: str) -> Any:
    """Import a module of pyarrow, which is an optional package.

    Args:
        module: its name, such as "fs"; "" for pyarrow itself.

    Raises:
        ImportError: pyarrow is not installed; the message has the command that installs it.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.fs
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Parquet files need pyarrow: pip install pyarrow") from error
    return getattr(pyarrow, module) if module else pyarrow
