"""Paths that mean the same in every working directory."""

from __future__ import annotations

from pathlib import Path


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
