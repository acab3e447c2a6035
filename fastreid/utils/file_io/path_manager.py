"""`PathManager`: fast-reid's interface to files, for local files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, Any

from .cache_folder import cache_folder


class PathManager:
    """File operations on local paths, by fast-reid's names.

    There are no handlers for addresses such as ``https://``; a path with such a prefix is the name
    of a local file.
    """

    @staticmethod
    def open(path: str, mode: str = "r", buffering: int = -1, **options: Any) -> IO[Any]:
        """Open a file; `options` are those of Python's ``open``."""
        return Path(path).open(mode, buffering, **options)

    @staticmethod
    def copy(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
        """Copy a file.

        Args:
            src_path: the file.
            dst_path: where the copy goes.
            overwrite: whether to replace a file that is there already.

        Returns:
            Whether the file was copied.
        """
        if Path(dst_path).exists() and not overwrite:
            return False
        shutil.copyfile(src_path, dst_path)
        return True

    @staticmethod
    def get_local_path(path: str) -> str:
        """Return the path itself: every file is local."""
        return path

    @staticmethod
    def exists(path: str) -> bool:
        """Tell whether there is a file or a folder."""
        return Path(path).exists()

    @staticmethod
    def isfile(path: str) -> bool:
        """Tell whether a path is a file."""
        return Path(path).is_file()

    @staticmethod
    def isdir(path: str) -> bool:
        """Tell whether a path is a folder."""
        return Path(path).is_dir()

    @staticmethod
    def ls(path: str) -> list[str]:
        """Return the names in a folder, sorted."""
        return sorted(entry.name for entry in Path(path).iterdir())

    @staticmethod
    def mkdirs(path: str) -> None:
        """Make a folder and those above it; one that is there already stays."""
        Path(path).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def rm(path: str) -> None:
        """Remove a file."""
        Path(path).unlink()


def get_cache_dir(cache_dir: str | None = None) -> str:
    """Return the folder of files that can be made or fetched again.

    Args:
        cache_dir: the folder to use; None: $FASTREID_CACHE, or ~/.cache/fastreid.
    """
    return str(Path(cache_dir).expanduser() if cache_dir else cache_folder())
