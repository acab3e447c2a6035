"""The folder in the temporary directory for the output of a job's processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "fastreid-job-"
_LOCK = "lock"
# A folder without a lock may be new: its supervisor has not locked it yet.
_MIN_AGE_SECONDS = 3600.0


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """Create a folder that is removed at the end; remove folders of supervisors that were killed.

    A supervisor holds a lock in its folder; the system releases it when the process ends.
    """
    remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        # The file gets its final name once it is locked: other supervisors remove a folder if its
        # lock is free.
        new = folder / f"{_LOCK}.new"
        with new.open("wb") as lock:
            # Some file systems have no locks; a folder on them is not removed by others.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(folder / _LOCK)
            yield folder


def remove_leftovers(folder: Path) -> None:
    """Remove the folders of this user's supervisors that have ended.

    Args:
        folder: the temporary directory.
    """
    for path in folder.glob(f"{_PREFIX}*"):
        # Another process may remove it at the same time.
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid():
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    lock = path / _LOCK
    if not lock.is_file():
        if time.time() - path.stat().st_mtime > _MIN_AGE_SECONDS:
            shutil.rmtree(path)
        return
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
