"""Look whether a result can be written, before the work that it takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def check_output_file(path: Path, option: str, *, suffixes: Sequence[str] = ()) -> None:
    """See that a file can be written or replaced; nothing is made.

    Args:
        path: of the file; its folder may be missing.
        option: of the command line, for messages.
        suffixes: of which the file must have one, such as ".npz"; none: any.

    Raises:
        ValueError: it is a folder, or has another suffix.
        OSError: its folder cannot be written or made.
    """
    if path.is_dir():
        raise ValueError(f"{option} {path} is a folder; give the name of a file.")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} {path} must end with {' or '.join(suffixes)}.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{option} {path} may not be replaced: it is read-only.")
    check_output_folder(path.parent, option)


def check_output_folder(path: Path, option: str) -> None:
    """See that a folder can be written or made; nothing is made.

    Args:
        path: of the folder.
        option: of the command line, for messages.

    Raises:
        NotADirectoryError: the path, or one above it, is a file.
        PermissionError: it may not be written.
    """
    existing = next((each for each in (path, *path.parents) if each.exists()), Path())
    if not existing.is_dir():
        raise NotADirectoryError(f"{option}: {existing} is a file, where a folder is needed.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"{option}: the folder {existing} may not be written.")
