"""Find image files that are missing, empty, broken or of an unusual kind."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ..data_utils import ImageError, read_image

_ORIENTATION = 0x0112
_UPRIGHT = 1
# Pillow's modes that `read_image` converts to RGB.
_UNUSUAL_MODES = {
    "1": "black and white",
    "L": "gray",
    "LA": "gray with transparency",
    "P": "palette",
    "PA": "palette",
    "RGBA": "transparency",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "LAB",
    "HSV": "HSV",
    "F": "32-bit",
}


class FileReport(NamedTuple):
    """Result of checking one image file.

    Attributes:
        path: path of the file.
        fault: why the file cannot be used; "" if it can.
        kinds: unusual properties that `read_image` handles, such as "CMYK" or "EXIF rotation".
    """

    path: str
    fault: str
    kinds: tuple[str, ...]


def stat_images(paths: Iterable[str]) -> list[FileReport]:
    """Check files without reading them.

    Args:
        paths: paths of the image files.

    Returns:
        A report for each path that is missing, empty, not a file, or a link to itself.
    """
    reports = [FileReport(path, _fault_without_reading(path), ()) for path in paths]
    return [report for report in reports if report.fault]


def inspect_images(paths: Sequence[str]) -> list[FileReport]:
    """Check files by reading them completely.

    Args:
        paths: paths of the image files.

    Returns:
        A report for each file with a fault or of an unusual kind.
    """
    reports = [_inspect(path) for path in paths]
    return [report for report in reports if report.fault or report.kinds]


def _fault_without_reading(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads to itself"
        return "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {error}"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    return "" if status.st_size else "is empty"


def _inspect(path: str) -> FileReport:
    fault = _fault_without_reading(path)
    if fault:
        return FileReport(path, fault, ())
    try:
        read_image(path)
        with Image.open(path) as image:
            return FileReport(path, "", _kinds(image))
    except ImageError as error:
        return FileReport(path, f"cannot be read: {error.__cause__}", ())


def _kinds(image: Image.Image) -> tuple[str, ...]:
    kinds = []
    if image.mode.startswith("I"):
        kinds.append("16 bit")
    elif image.mode != "RGB":
        kinds.append(_UNUSUAL_MODES.get(image.mode, image.mode))
    if getattr(image, "n_frames", 1) > 1:
        kinds.append("several frames")
    try:
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError):
        # Damaged EXIF data does not affect the pixels.
        orientation = _UPRIGHT
    if orientation != _UPRIGHT:
        kinds.append("EXIF rotation")
    return tuple(kinds)
