"""Check and read pictures that clients send."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from PIL import Image

from fastreid.utils.file_io.images import read_image
from fastreid.utils.messages.errors import ExplainedError

# Formats of photos; others of Pillow's have decoders that few have tested, or start programs.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_LONGEST_NAME = 60
# What Pillow's decoders raise for damaged files.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, OverflowError, EOFError, IndexError, KeyError, TypeError),
    *(struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class UploadError(ExplainedError, ValueError):
    """A picture is refused; the message names it and says why."""


def read_picture(name: str, file: BinaryIO, *, max_pixels: int) -> Image.Image:
    """Read a picture as 8-bit RGB, upright. Its size is checked before it is decoded.

    Args:
        name: for messages.
        file: its content; the caller closes it.
        max_pixels: the largest picture that is decoded.

    Returns:
        (H, W) picture of mode RGB.

    Raises:
        UploadError: if it is not a picture, damaged or too large.
    """
    name = short_name(name)
    _checked_pixels(name, file, max_pixels=max_pixels)
    return _decoded(name, file)


def read_pictures(files: Sequence[tuple[str, BinaryIO]], *, max_pixels: int) -> list[Image.Image]:
    """Read the pictures of a request; all sizes are checked before the first one is decoded.

    Args:
        files: names for messages, and contents; the caller closes them.
        max_pixels: the most pixels that the pictures may have together.

    Returns:
        Pictures as of `read_picture`.

    Raises:
        UploadError: if one is not a picture or damaged, or they are too large together.
    """
    named = [(short_name(name), file) for name, file in files]
    total = 0
    for name, file in named:
        total += _checked_pixels(name, file, max_pixels=max_pixels)
        if total > max_pixels:
            raise UploadError(
                f"The {len(named)} pictures have more pixels together than the "
                f"{max_pixels / 1e6:g} million that are allowed: send fewer or smaller ones."
            )
    return [_decoded(name, file) for name, file in named]


def short_name(name: str) -> str:
    """Return the last part of a client's file name, printable and not too long.

    Args:
        name: as it was sent.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(character for character in last if character.isprintable())
    return shown[:_LONGEST_NAME] or "The picture"


def _too_large(name: str, max_pixels: int) -> str:
    return f"{name} has more pixels than the {max_pixels / 1e6:g} million that are allowed."


def _checked_pixels(name: str, file: BinaryIO, *, max_pixels: int) -> int:
    """Return the number of pixels of a picture, from its head."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UploadError(_too_large(name, max_pixels)) from error
    except _DAMAGED as error:
        raise UploadError(
            f"{name} is not a picture that can be read. JPEG, PNG, WebP, BMP, TIFF and GIF can."
        ) from error
    if width * height > max_pixels:
        raise UploadError(f"{_too_large(name, max_pixels)} It has {width} x {height}.")
    return width * height


def _decoded(name: str, file: BinaryIO) -> Image.Image:
    try:
        file.seek(0)
        return read_image(name, file, formats=FORMATS)
    except _DAMAGED as error:
        raise UploadError(f"{name} is damaged and cannot be read.") from error
