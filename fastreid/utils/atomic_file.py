"""Files and folders that appear under their names when they are whole, whoever makes them at once.

Nothing here needs locks, which shared file systems may not have: whatever is made gets a name that
no other process uses, and is renamed when it is done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .processes import is_running

logger = logging.getLogger(__name__)

_READABLE = 0o644
_READABLE_FOLDER = 0o755
# A folder of a process that is gone is left alone as long as it may be of one that is not seen
# here: on another machine, or in another container.
_QUIET_SECONDS = 60.0
_QUIET_SECONDS_ELSEWHERE = 24 * 3600.0


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; at the end what was written there replaces `path`.

    After an error, or a crash at any moment, `path` is what it was.

    Args:
        path: of the final file.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.chmod(_READABLE)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(
    folder: Path,
    make: Callable[[Path], None],
    *,
    is_whole: Callable[[Path], bool] = Path.is_dir,
    replaces: bool = False,
) -> bool:
    """Make a folder; it appears under its name when it is whole.

    Of several processes that make it at once, the first that is done wins, and the others take
    what it made. What killed processes left behind is removed.

    Args:
        folder: its parent must exist.
        make: fills the new folder that it is given.
        is_whole: tells whether a folder that another process made can be taken.
        replaces: put it in the place of an older folder.

    Returns:
        Whether this process made it; False: another one was first.

    Raises:
        FileExistsError: something else has the name.
    """
    _remove_leftovers(folder)
    temporary = folder.with_name(_temporary_prefix(folder) + secrets.token_hex(4))
    temporary.mkdir(_READABLE_FOLDER)
    try:
        make(temporary)
        if replaces:
            _move_away(folder)
        return _rename(temporary, folder, is_whole)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move_away(folder: Path) -> None:
    """Remove a folder such that it is there as a whole or not at all."""
    old = folder.with_name(_temporary_prefix(folder) + secrets.token_hex(4))
    # Another process may have moved it.
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
        shutil.rmtree(old)


def _rename(temporary: Path, folder: Path, is_whole: Callable[[Path], bool]) -> bool:
    try:
        temporary.rename(folder)
    except OSError as error:
        if not os.path.lexists(folder):
            raise
        if not is_whole(folder):
            raise FileExistsError(
                f"{folder} appeared while it was being made, and is something else. Remove it and "
                "start again."
            ) from error
        return False
    return True


def _temporary_prefix(folder: Path) -> str:
    return f".{folder.name}.{_host()}.{os.getpid()}."


def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:64]


def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished folders of processes that are gone."""
    pattern = re.compile(
        rf"\.{re.escape(folder.name)}\.(?:(?P<host>[\w-]+)\.)?(?P<pid>\d{{1,10}})(?:\.[0-9a-f]{{8}})?"
    )
    for path in folder.parent.glob(f".{_escape(folder.name)}.*"):
        match = pattern.fullmatch(path.name)
        if not match or (match["host"] == _host() and is_running(int(match["pid"]))):
            continue
        quiet = _QUIET_SECONDS if match["host"] == _host() else _QUIET_SECONDS_ELSEWHERE
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > quiet:
                shutil.rmtree(path)
                logger.info("Removed %s, which a process that was ended left behind", path)


def _escape(name: str) -> str:
    """Keep a name from being a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
