"""Look at image files before a run does: missing, empty, broken, or of an unusual kind."""

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
# What `read_image` turns into RGB, by Pillow's mode.
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
    """What was found about one image file.

    Attributes:
        path: of the file.
        fault: why no run can use it; "" if it can.
        kinds: unusual things that are handled, such as "CMYK" or "EXIF rotation".
    """

    path: str
    fault: str
    kinds: tuple[str, ...]


def stat_images(paths: Iterable[str]) -> list[FileReport]:
    """Look at files from outside: quick.

    Args:
        paths: of images.

    Returns:
        A report for each file that is missing, empty, no file, or a link to itself.
    """
    reports = [FileReport(path, _outer_fault(path), ()) for path in paths]
    return [report for report in reports if report.fault]


def inspect_images(paths: Sequence[str]) -> list[FileReport]:
    """Read images whole.

    Args:
        paths: of images.

    Returns:
        A report for each one with a fault or of an unusual kind.
    """
    reports = [_inspect(path) for path in paths]
    return [report for report in reports if report.fault or report.kinds]


def _outer_fault(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads to itself"
        return "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {error}"
    if not stat.S_ISREG(status.st_mode):
        return "is no file"
    return "" if status.st_size else "is empty"


def _inspect(path: str) -> FileReport:
    fault = _outer_fault(path)
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
        # Broken EXIF data says nothing about the pixels.
        orientation = _UPRIGHT
    if orientation != _UPRIGHT:
        kinds.append("EXIF rotation")
    return tuple(kinds)
