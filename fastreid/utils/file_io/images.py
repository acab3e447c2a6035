"""Read images of any common kind: rotated, gray, 16 bit, CMYK, palette, transparent."""

from __future__ import annotations

import contextlib
import struct
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ..messages.errors import ExplainedError

# What Pillow raises for files that it cannot read.
READ_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


class ImageError(ExplainedError, ValueError):
    """An image file cannot be read or transformed; the message names it."""


def read_image(
    file_name: str, content: BinaryIO | None = None, *, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """Read an image file as 8-bit RGB, upright (fast-reid's ``read_image``).

    Gray images get three equal channels, 16-bit ones keep their upper 8 bits, transparency is
    dropped, CMYK and palettes are converted, and the EXIF orientation is applied.

    Args:
        file_name: path of the image file.
        content: the open file, if it is on another file system; then the name is for messages.
        formats: names of the formats that are tried, as Pillow has them; None: all of Pillow's.

    Returns:
        (H, W) PIL image of mode RGB, values 0 to 255.

    Raises:
        ImageError: the file is missing or not a readable image.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.utils.file_io.images import read_image
        >>> Image.new("L", (64, 128), 200).save("gray.png")
        >>> image = read_image("gray.png")
        >>> image.mode, image.size, image.getpixel((0, 0))
        ('RGB', (64, 128), (200, 200, 200))
        >>> read_image("missing.png")
        Traceback (most recent call last):
            ...
        fastreid.utils.file_io.images.ImageError: Image file missing.png does not exist.
    """
    try:
        with Image.open(file_name if content is None else content, formats=formats) as image:
            # A loaded image does not need its file, so it need not be copied.
            image.load()
            _turn_upright(image)
            return to_rgb(image)
    except FileNotFoundError as error:
        raise ImageError(f"Image file {file_name} does not exist.") from error
    except READ_ERRORS as error:
        raise ImageError(
            f"Image file {file_name} cannot be read: {error}. Replace or remove it."
        ) from error


def _turn_upright(image: Image.Image) -> None:
    # Damaged EXIF data does not affect the pixels.
    with contextlib.suppress(
        AttributeError, KeyError, TypeError, ValueError, SyntaxError, struct.error
    ):
        ImageOps.exif_transpose(image, in_place=True)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit RGB, as `read_image` does.

    Args:
        image: of any mode; 16-bit gray keeps its upper 8 bits, transparency is dropped.

    Returns:
        (H, W) PIL image of mode RGB, values 0 to 255.
    """
    if image.mode.startswith("I"):
        # The mode of a 16-bit gray PNG is "I" or "I;16", depending on the version of Pillow.
        gray = np.asarray(image).astype(np.int64)
        high = gray >> 8 if gray.max(initial=0) > 255 else gray
        image = Image.fromarray(high.clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")
