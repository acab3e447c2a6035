"""Check that the folders and files of a data set exist, and list the images of a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from .image_search import Search, search_images


class MissingPartError(FileNotFoundError):
    """A folder or list of a data set is missing, such as that of a split."""


_HELP = "datasets/README.md shows the layout."


def require_root(root: str | Path) -> Path:
    """Check that the folder that holds the data sets exists.

    Args:
        root: value of FASTREID_DATASETS, "datasets" by default; "~" is the home folder.

    Returns:
        Path of the folder.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The data root {folder} is not a folder. Set FASTREID_DATASETS to the folder that "
            f"holds the data sets; {_HELP}"
        )
    return folder


def require_folder(folder: Path, dataset: str) -> Path:
    """Check that a folder of a data set exists.

    Args:
        folder: path of the folder.
        dataset: name of the data set, for error messages.

    Returns:
        Path of the folder.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    if not folder.is_dir():
        raise MissingPartError(
            f"{dataset}: the folder {folder} is missing (FASTREID_DATASETS is the folder that "
            f"contains the data sets). {_HELP}"
        )
    return folder


def require_file(path: Path, dataset: str) -> Path:
    """Check that a file of a data set exists, such as a list of images.

    Args:
        path: path of the file.
        dataset: name of the data set, for error messages.

    Returns:
        Path of the file.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    if not path.is_file():
        raise MissingPartError(f"{dataset}: the file {path} is missing. {_HELP}")
    return path


def require_paths(paths: Iterable[str | Path], dataset: str) -> None:
    """Check that files and folders exist.

    Args:
        paths: files and folders.
        dataset: name of the data set, for error messages.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    for path in paths:
        if not Path(path).exists():
            raise FileNotFoundError(
                f"Data set {dataset}: {path} does not exist (FASTREID_DATASETS is the folder that "
                "holds the data sets)."
            )


def list_images(
    folder: Path, dataset: str, *, suffixes: Collection[str] = (), is_deep: bool = False
) -> Search:
    """List the images of a folder, sorted by name.

    Args:
        folder: path of the folder.
        dataset: name of the data set, for error messages.
        is_deep: whether its subfolders are searched too.
        suffixes: suffixes of the images, in lower case; none: those of all image formats.

    Returns:
        The images, and the files that were skipped.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: the folder has no images.
    """
    found = search_images(require_folder(folder, dataset), is_deep=is_deep, suffixes=suffixes)
    if not found.images:
        passed_over = found.describe()
        kind = "/".join(sorted(suffixes)) if suffixes else "images"
        raise ValueError(
            f"{dataset}: the folder {folder} has no {kind}. "
            f"{passed_over + ' ' if passed_over else ''}{_HELP}"
        )
    return found
