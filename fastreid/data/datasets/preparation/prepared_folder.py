"""Choose where prepared files of a data set are written: beside the data, or in the cache."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from fastreid.utils.file_io.cache_folder import CACHE_VARIABLE, cache_folder

logger = logging.getLogger(__name__)

# Other errors, such as a full disk, are raised: the cache may be on the same disk.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def cache_of(data_dir: Path, sources: Iterable[Path]) -> Path:
    """Give the folder in the cache for the prepared files of a data set.

    The folder depends on the data set and on the size and time of its source files.

    Args:
        data_dir: folder of the data set.
        sources: files from which the prepared files are made; missing ones are ignored.

    Returns:
        Path of the folder; it need not exist.
    """
    about = [os.path.realpath(data_dir)]
    for path in sources:
        if path.is_file():
            status = path.stat()
            about.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    key = hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder() / "datasets" / f"{data_dir.name}-{key}"


def writable_folder(data_dir: Path, cache: Path) -> Path:
    """Choose the folder of the data set or, if that is not writable, the cache.

    Args:
        data_dir: folder of the data set.
        cache: result of `cache_of`; the folder is made if it is chosen.

    Returns:
        One of the two folders.

    Raises:
        OSError: neither is writable; the message names both.
    """
    first = _write_error(data_dir)
    if first is None:
        return data_dir
    if first.errno not in _READ_ONLY:
        raise first
    try:
        cache.mkdir(parents=True, exist_ok=True)
        second = _write_error(cache)
    except OSError as error:
        second = error
    if second is not None:
        raise OSError(
            second.errno,
            f"Neither {data_dir} ({first.strerror}) nor the cache {cache} ({second.strerror}) "
            f"is writable. Make one of them writable, or set {CACHE_VARIABLE}.",
        )
    # A warning, because tools that do not set up logging show only warnings.
    logger.warning("%s is not writable (%s); using the cache %s", data_dir, first.strerror, cache)
    return cache


def _write_error(folder: Path) -> OSError | None:
    """Try to write to a folder; return the error, or None."""
    try:
        with tempfile.TemporaryDirectory(prefix=".fastreid-", dir=folder):
            return None
    except OSError as error:
        return error
