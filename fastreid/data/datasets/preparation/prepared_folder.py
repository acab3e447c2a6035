"""Where the files go that a data set makes of itself: beside the data, or into the cache."""

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

# Other errors, such as a full disk, are for the user to mend: the cache may be on the same disk.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def cache_of(data_dir: Path, sources: Iterable[Path]) -> Path:
    """Name the folder in the cache for what is made of a data set.

    Two data sets have two folders, and so has one whose files were replaced.

    Args:
        data_dir: folder of the data set.
        sources: the files that all is made of; those that are missing do not count.

    Returns:
        The folder; it may be missing.
    """
    about = [os.path.realpath(data_dir)]
    for path in sources:
        if path.is_file():
            status = path.stat()
            about.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    key = hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder() / "datasets" / f"{data_dir.name}-{key}"


def writable_folder(data_dir: Path, cache: Path) -> Path:
    """Choose where files are made: beside the data, or in the cache where that cannot be written.

    Args:
        data_dir: folder of the data set.
        cache: of `cache_of`; it is made if it is chosen.

    Returns:
        One of the two.

    Raises:
        OSError: neither can be written; the message names both.
    """
    refusal = _why_not(data_dir)
    if refusal is None:
        return data_dir
    if refusal.errno not in _READ_ONLY:
        raise refusal
    try:
        cache.mkdir(parents=True, exist_ok=True)
        second = _why_not(cache)
    except OSError as error:
        second = error
    if second is not None:
        raise OSError(
            second.errno,
            f"Neither {data_dir} ({refusal.strerror}) nor the cache {cache} ({second.strerror}) "
            f"can be written. Make one of them writable, or set {CACHE_VARIABLE} to a folder that "
            "is.",
        )
    # A warning: it is seen where nobody set up logs, as in tools.
    logger.warning(
        "%s cannot be written (%s); using the cache %s", data_dir, refusal.strerror, cache
    )
    return cache


def _why_not(folder: Path) -> OSError | None:
    """Try to make a folder in a folder."""
    try:
        with tempfile.TemporaryDirectory(prefix=".fastreid-", dir=folder):
            return None
    except OSError as error:
        return error
