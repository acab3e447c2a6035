"""Find the files of a data set, and say what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_HELP = "datasets/README.md shows how the folder must look."


def require_root(root: str | Path) -> Path:
    """Check the folder that holds the data sets.

    Args:
        root: value of FASTREID_DATASETS, "datasets" by default; "~" is the home directory.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: it does not exist.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The data root {folder} is not a folder. Set FASTREID_DATASETS to the folder that "
            f"holds the data sets; {_HELP}"
        )
    return folder


def require_folder(folder: Path, dataset: str) -> Path:
    """Check a folder of a data set.

    Args:
        folder: it must exist.
        dataset: name of the data set, for the message.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: it does not exist.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{dataset}: the folder {folder} is missing (FASTREID_DATASETS is the folder above the "
            f"data sets). {_HELP}"
        )
    return folder


def require_file(path: Path, dataset: str) -> Path:
    """Check a file of a data set, such as a list of images.

    Args:
        path: it must exist.
        dataset: name of the data set, for the message.

    Returns:
        The path.

    Raises:
        FileNotFoundError: it does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{dataset}: the file {path} is missing. {_HELP}")
    return path


def list_images(folder: Path, dataset: str, suffix: str) -> list[Path]:
    """List the images of a folder, sorted by name.

    Args:
        folder: not searched deeper.
        dataset: name of the data set, for messages.
        suffix: e.g. ".jpg"; other files, such as Thumbs.db, and hidden ones are passed over.

    Returns:
        Their paths.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no such image.
    """
    paths = [
        path
        for path in sorted(require_folder(folder, dataset).glob(f"*{suffix}"))
        if not path.name.startswith(".")
    ]
    if not paths:
        raise ValueError(f"{dataset}: the folder {folder} has no *{suffix} images. {_HELP}")
    return paths


def require_images(paths: Iterable[Path], dataset: str, list_file: Path) -> None:
    """Check that the images of a list exist.

    Args:
        paths: the images.
        dataset: name of the data set, for the message.
        list_file: where they are listed.

    Raises:
        FileNotFoundError: the first one that does not exist, and how many more there are.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{dataset}: the image {missing[0]}, listed in {list_file}, does not exist "
            f"({len(missing)} listed images are missing). Is the data set unpacked completely?"
        )
