"""The configuration files that come with the toolbox."""

from __future__ import annotations

from pathlib import Path

FOLDER = "configs"
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder() -> Path:
    """Return the folder ``configs``: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / FOLDER
    return installed if installed.is_dir() else _PACKAGE.parent / FOLDER


def find_config(name: str | Path) -> Path:
    """Find a configuration file: in the working folder, else among those of the toolbox.

    Args:
        name: path of the file. Where there is no such file and the path starts with ``configs/``,
            the file of this name that comes with the toolbox is taken.

    Returns:
        The path; the name itself if there is no such file.
    """
    path = Path(name)
    if path.exists() or path.parts[:1] != (FOLDER,) or ".." in path.parts:
        return path
    shipped = shipped_folder().joinpath(*path.parts[1:])
    return shipped if shipped.is_file() else path
