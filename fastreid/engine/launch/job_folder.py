"""The folder of a job in the temporary directory, for what its processes print."""

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
# A folder without a lock may be a moment old, of a supervisor that is about to take it.
_QUIET_SECONDS = 3600.0


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end, and remove those of supervisors that were killed.

    A supervisor holds a lock in its folder, which the system releases when the process ends.
    """
    remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        # It gets its name when it is held: another supervisor removes folders whose lock is free.
        new = folder / f"{_LOCK}.new"
        with new.open("wb") as lock:
            # Not every file system has locks; without one nobody removes the folder.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(folder / _LOCK)
            yield folder


def remove_leftovers(folder: Path) -> None:
    """Remove folders of this user's supervisors that run no more.

    Args:
        folder: the temporary directory.
    """
    for path in folder.glob(f"{_PREFIX}*"):
        # Others may remove it at the same time.
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid():
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    lock = path / _LOCK
    if not lock.is_file():
        if time.time() - path.stat().st_mtime > _QUIET_SECONDS:
            shutil.rmtree(path)
        return
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
