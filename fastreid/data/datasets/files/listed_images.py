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

# A short text in another encoding can be valid UTF-8.
_OTHER_ENCODING = " Or does the list have another encoding than UTF-8?"


def listed_path(folder: Path, name: str, *, place: str, is_below: bool = False) -> Path:
    """Convert the file name in an entry of a list to a path.

    Args:
        folder: folder that relative names start from.
        name: file name as written; backslashes separate folders if no file has that name.
        place: where the entry is, such as "line 3 of list.csv", for error messages.
        is_below: whether the path must not lead out of `folder`.

    Returns:
        The path; it need not exist.

    Raises:
        ValueError: the name is an absolute path of Windows, and this is another system; or the path
            leads out of `folder`.
    """
    parts = name.replace("\\", "/").split("/")
    if is_below and (parts[0] == "" or ".." in parts):
        raise ValueError(f"The path {name!r} in {place} leads out of {folder}.")
    if "\\" not in name and ":" not in name:
        return folder / name
    path = folder / name
    if os.name == "nt" or path.is_file():
        return path
    if PureWindowsPath(name).is_absolute():
        raise ValueError(
            f"The path {name} in {place} is a path of Windows. Write it relative to {folder}."
        )
    return folder / name.replace("\\", "/")


def require_plain_name(name: str, parts: Sequence[str]) -> str:
    """Check a file name in an entry of a list that must not lead out of its folder.

    Args:
        name: the name as written.
        parts: the parts of it that are used: folders and file.

    Returns:
        The parts, with "/" between them.

    Raises:
        ValueError: a part is empty, "." or has a drive; or the name has a part "..".
    """
    if ".." in name.replace("\\", "/").split("/"):
        raise ValueError(f"the path {name!r} contains '..'.")
    if not parts or any(part in ("", ".") or ":" in part or "\0" in part for part in parts):
        raise ValueError(f"the path {name!r} is not that of a file in the data set.")
    return "/".join(parts)


def require_images(paths: Sequence[Path], dataset: str, list_file: Path) -> list[Path]:
    """Find the images of a list.

    If an image does not exist, a file is searched whose name differs only in the suffix, such as
    .JPG or .png for .jpg, or in the Unicode form of accents, which macOS changes.

    Args:
        paths: paths of the images, as listed.
        dataset: name of the data set, for error messages.
        list_file: path of the list.

    Returns:
        The images, in the same order.

    Raises:
        FileNotFoundError: images are missing; the message names the first one and their number.
    """
    # Folders and broken files exist; the check of image files reports them.
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
        "%s: %d images of %s were found under similar names (%s)",
        *(dataset, len(missing), list_file, list_some(pairs)),
    )
    return [found.get(path, path) for path in paths]


def _under_similar_names(missing: Iterable[Path]) -> dict[Path, Path]:
    """Give each missing image for which exactly one file has a similar name, with that file."""
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
