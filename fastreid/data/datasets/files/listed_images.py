"""Find the images that a list of a data set names."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PureWindowsPath

from fastreid.utils.messages.texts import list_some

from .image_search import search_images

logger = logging.getLogger(__name__)

# Short texts in another encoding may happen to be valid UTF-8.
_OTHER_ENCODING = " Or is the list in another encoding than UTF-8?"


def listed_path(folder: Path, name: str, *, place: str) -> Path:
    """Find where an entry of a list points to.

    Args:
        folder: that relative names start from.
        name: as written; where no file has that name, backslashes separate folders.
        place: of the entry, such as "line 3 of list.csv", for the message.

    Returns:
        The path; it need not exist.

    Raises:
        ValueError: it is an absolute path of Windows, and this is another system.
    """
    if "\\" not in name and ":" not in name:
        return folder / name
    path = folder / name
    if os.name == "nt" or path.is_file():
        return path
    if PureWindowsPath(name).is_absolute():
        raise ValueError(
            f"The path {name} in {place} is one of a computer with Windows. Write it relative to "
            f"{folder}."
        )
    return folder / name.replace("\\", "/")


def require_images(paths: Sequence[Path], dataset: str, list_file: Path) -> list[Path]:
    """Find the images of a list.

    An image that is not there is looked for under the same name with another suffix of an image
    format, such as .JPG or .png for .jpg, and with accents written otherwise, as macOS does.

    Args:
        paths: as they are listed.
        dataset: name of the data set, for messages.
        list_file: where they are listed.

    Returns:
        The images, in the same order.

    Raises:
        FileNotFoundError: the first one that does not exist, and how many more there are.
    """
    # Folders and broken files are there: the check of files names them.
    missing = {path for path in paths if not path.exists()}
    if not missing:
        return list(paths)
    found = _under_similar_names(missing)
    lost = [path for path in paths if path in missing and path not in found]
    if lost:
        raise FileNotFoundError(
            f"{dataset}: the image {lost[0]}, listed in {list_file}, does not exist "
            f"({len(lost)} listed images are missing). Is the data set unpacked completely?"
            f"{'' if str(lost[0]).isascii() else _OTHER_ENCODING}"
        )
    pairs = [f"{path.name} is {found[path].name}" for path in missing]
    logger.info(
        "%s: %d images of %s are there under similar names (%s)",
        *(dataset, len(missing), list_file, list_some(pairs)),
    )
    return [found.get(path, path) for path in paths]


def _under_similar_names(missing: Iterable[Path]) -> dict[Path, Path]:
    """Each missing image for which exactly one file comes into question, with that file."""
    of_folder = defaultdict(list)
    for path in missing:
        of_folder[path.parent].append(path)
    found = {}
    for folder, paths in of_folder.items():
        candidates = defaultdict(list)
        if folder.is_dir():
            for image in search_images(folder, is_deep=False).images:
                candidates[_without_suffix(image)].append(image)
        for path in paths:
            if len(candidates[_without_suffix(path)]) == 1:
                found[path] = candidates[_without_suffix(path)][0]
    return found


def _without_suffix(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)
