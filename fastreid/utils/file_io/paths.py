"""Expanded and absolute paths."""

from __future__ import annotations

from pathlib import Path


def expand_home(path: str, source: str) -> Path:
    """Expand "~" or "~user" at the start of a path.

    Args:
        path: the path as the user wrote it.
        source: the option or variable that it comes from, for messages.

    Returns:
        The expanded path.

    Raises:
        ValueError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{source} is {path!r}, but there is no such home folder.") from error


def absolute_path(path: str | Path) -> Path:
    """Make a path absolute and free of "..".

    Symbolic links are resolved only in paths that contain "..".

    Args:
        path: relative to the working directory, or absolute.

    Returns:
        The absolute path of the same file or folder, which may not exist.
    """
    path = Path(path)
    if ".." not in path.parts:
        return path.absolute()
    # After a symbolic link, ".." is the parent of the link's target, not of the link.
    return path.resolve() if path.name == ".." else path.parent.resolve() / path.name
