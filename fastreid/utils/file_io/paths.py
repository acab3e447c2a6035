"""Paths that mean the same in every working directory."""

from __future__ import annotations

from pathlib import Path


def expand_home(path: str, source: str) -> Path:
    """Replace a "~" or "~user" at the start of a path by that home folder.

    Args:
        path: as the user wrote it.
        source: where the user wrote it, for messages.

    Returns:
        The path.

    Raises:
        ValueError: nobody has that home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{source} is {path!r}, but nobody has that home.") from error


def absolute_path(path: str | Path) -> Path:
    """Make a path absolute, without ".."; links to folders are kept where that is possible.

    Args:
        path: relative to the working directory, or absolute.

    Returns:
        The same file or folder, which may be missing.
    """
    path = Path(path)
    if ".." not in path.parts:
        return path.absolute()
    # Behind a link to a folder, ".." is not the folder that the text has before it.
    return path.resolve() if path.name == ".." else path.parent.resolve() / path.name
