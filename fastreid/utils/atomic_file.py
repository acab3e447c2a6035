"""Atomic writing of files and folders: the final name only ever shows complete content.

Locks are not used, because shared file systems may lack them. Content is written under a temporary
name that is unique to the process, and is renamed when it is complete, so several processes may
write the same target at once.
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
# An unfinished folder is removed when it has not changed for this long. The limit is longer for
# folders of other hosts and containers, whose processes cannot be seen from here.
_QUIET_SECONDS = 60.0
_QUIET_SECONDS_ELSEWHERE = 24 * 3600.0


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file atomically.

    The block writes to the temporary path that it gets. When the block ends, that file replaces
    `path`. After an error in the block, or a crash at any moment, `path` is unchanged.

    Args:
        path: the final file.

    Yields:
        A path in the same folder, to write to.

    Examples:
        >>> from pathlib import Path
        >>> from fastreid.utils.atomic_file import replacing
        >>> scores = Path("scores.txt")
        >>> with replacing(scores) as temporary:
        ...     size = temporary.write_text("mAP 71.1")
        ...     appeared_early = scores.exists()
        >>> scores.read_text(), appeared_early
        ('mAP 71.1', False)
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
    is_complete: Callable[[Path], bool] = Path.is_dir,
    replaces: bool = False,
) -> bool:
    """Make a folder atomically: it appears under its name when it is complete.

    When several processes make the same folder at once, the first to finish provides it and the
    others use that one. Unfinished folders of killed processes are removed.

    Args:
        folder: the folder to make; its parent must exist.
        make: a function that fills the empty folder it is called with.
        is_complete: decides whether a folder made by another process can be used.
        replaces: whether an existing folder of this name is replaced.

    Returns:
        True if this process made the folder, False if another process made it first.

    Raises:
        FileExistsError: the name is taken by something that `is_complete` rejects.
    """
    _remove_leftovers(folder)
    temporary = folder.with_name(_temporary_prefix(folder) + secrets.token_hex(4))
    temporary.mkdir(_READABLE_FOLDER)
    try:
        make(temporary)
        if replaces:
            _move_away(folder)
        return _rename(temporary, folder, is_complete)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move_away(folder: Path) -> None:
    """Remove a folder atomically: rename it, then delete it under the temporary name."""
    old = folder.with_name(_temporary_prefix(folder) + secrets.token_hex(4))
    # Another process may have moved it already.
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
        shutil.rmtree(old)


def _rename(temporary: Path, folder: Path, is_complete: Callable[[Path], bool]) -> bool:
    try:
        temporary.rename(folder)
    except OSError as error:
        if not os.path.lexists(folder):
            raise
        if not is_complete(folder):
            raise FileExistsError(
                f"{folder} was created by another program in the meantime, with other content. "
                "Remove it and start again."
            ) from error
        return False
    return True


def _temporary_prefix(folder: Path) -> str:
    return f".{folder.name}.{_host()}.{os.getpid()}."


def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:64]


def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished folders of processes that have ended."""
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
                logger.info("Removed %s, the unfinished folder of a killed process", path)


def _escape(name: str) -> str:
    """Escape the wildcards of `Path.glob`."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
