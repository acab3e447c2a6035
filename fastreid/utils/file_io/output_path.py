"""Check that a result can be written, before it is computed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def check_output_file(path: Path, option: str, *, suffixes: Sequence[str] = ()) -> None:
    """Check that a file can be written or replaced; nothing is created.

    Args:
        path: the file; its folder may not exist yet.
        option: the command-line option, for messages.
        suffixes: allowed suffixes, such as ".npz"; empty allows all.

    Raises:
        ValueError: the path is a folder, or has another suffix.
        OSError: its folder cannot be written or created.
    """
    if path.is_dir():
        raise ValueError(f"{option} {path} is a folder; give the name of a file.")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} {path} must end with {' or '.join(suffixes)}.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{option} {path} may not be replaced: it is read-only.")
    check_output_folder(path.parent, option)


def check_output_folder(path: Path, option: str) -> None:
    """Check that a folder can be written or created; nothing is created.

    Args:
        path: the folder.
        option: the command-line option, for messages.

    Raises:
        NotADirectoryError: the path, or one of its parents, is a file.
        PermissionError: the folder is read-only.
    """
    existing = next((each for each in (path, *path.parents) if each.exists()), Path())
    if not existing.is_dir():
        raise NotADirectoryError(f"{option}: {existing} is a file, where a folder is needed.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"{option}: the folder {existing} may not be written.")
