"""Checks of the entries and of the content of split files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastreid.utils.labels import normal_form

from ..files import require_plain_name
from ..layouts import Labelled

_WAY_OUT = "Remove it to have the splits drawn again."


def identities_of(listed: list, split_file: Path) -> list[int]:
    """Check the identities that a split lists.

    Args:
        listed: integers.
        split_file: file of the split, for the message.

    Raises:
        ValueError: an entry is not an integer from 0.
    """
    for entry in listed:
        if type(entry) is not int or entry < 0:
            raise ValueError(_unexpected(split_file, entry, "an identity"))
    return listed


def names_of(listed: list, split_file: Path, *, folder: str = "") -> list[str]:
    """Give the names of the images that a split lists.

    Args:
        listed: paths, or lists that begin with a path. Only their last parts count, so that files
            from another machine can be used.
        split_file: file of the split, for the message.
        folder: folder of all images: an entry is a file name, or a path that ends with folder and
            file name; "": entries end with a folder and a file name.

    Returns:
        The names, with "/" between folder and file name.

    Raises:
        ValueError: an entry has another form, or a part "..".
    """
    names = []
    for entry in listed:
        path = entry[0] if isinstance(entry, list) and entry else entry
        parts = path.replace("\\", "/").split("/") if isinstance(path, str) else []
        if folder and len(parts) == 1:
            parts.insert(0, folder)
        if len(parts) < 2 or (folder and parts[-2] != folder):
            raise ValueError(_unexpected(split_file, entry, "the path of an image"))
        try:
            names.append(require_plain_name(path, parts[-2:]))
        except ValueError as error:
            raise ValueError(_unexpected(split_file, entry, f"usable: {error}")) from error
    return names


def check_split(images: Mapping[str, Sequence[Labelled]], place: str, way_out: str = "") -> None:
    """Check that a split can be trained and tested on.

    Args:
        images: the images of "train", "query" and "gallery".
        place: data set, file and number of the split, for the message.
        way_out: what to do; "": remove the file.

    Raises:
        ValueError: a part is empty, identities are in training and test, an image is listed twice,
            or the identity of a query has no gallery image.
    """
    fault = _fault_of(images)
    if fault:
        raise ValueError(f"{place}: {fault}. {way_out or _WAY_OUT}")


def _fault_of(images: Mapping[str, Sequence[Labelled]]) -> str:
    empty = [part for part, listed in images.items() if not listed]
    if empty:
        return f"the part {empty[0]!r} is empty"
    train, query, gallery = (
        {normal_form(image.pid) for image in images[part]} for part in ("train", "query", "gallery")
    )
    both = sorted(train & (query | gallery), key=str)
    if both:
        return f"{len(both)} identities are in training and in test, such as {both[0]}"
    count = Counter(image.path for listed in images.values() for image in listed)
    repeated = [path for path, times in count.items() if times > 1]
    if repeated:
        return f"{len(repeated)} images are listed more than once, such as {repeated[0]}"
    lost = sorted(query - gallery, key=str)
    return f"{len(lost)} query identities have no gallery image, such as {lost[0]}" if lost else ""


def _unexpected(split_file: Path, entry: object, expected: str) -> str:
    return (
        f"{split_file} has the entry {entry!r:.100}, which is not {expected}: it is of another "
        f"program or version. {_WAY_OUT}"
    )
