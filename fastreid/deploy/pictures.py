"""Turn pictures of any common form into batches of a size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

import numpy as np
from PIL import Image

from fastreid.utils.file_io.images import READ_ERRORS, read_image, to_rgb
from fastreid.utils.messages.errors import ExplainedError

# A file name, a PIL image, or an array (H, W, 3) of uint8.
Picture = Union[str, "os.PathLike[str]", Image.Image, np.ndarray]

_FORMS = (
    "a path, a PIL image, a uint8 array (H, W, 3), a list of these, or a float or uint8 array "
    "{shape}"
)

# (height, width) of the images that a network takes; None: it takes several.
Size = Optional[tuple[int, int]]


class PictureError(ExplainedError, ValueError):
    """Something was given that is not a picture; the message says what it is."""


def is_batch(images: Any) -> bool:
    """Return whether images are an array of floats, or of any type and clearly (N, 3, H, W)."""
    if not isinstance(images, np.ndarray):
        return False
    has_channels_first = images.ndim == 4 and images.shape[1] == 3 and images.shape[3] != 3
    return images.dtype.kind == "f" or has_channels_first


def check_batch(images: np.ndarray, size: Size = None) -> np.ndarray:
    """Check a batch and return it as float32 (N, 3, H, W).

    Args:
        images: RGB in 0..255, of floats or uint8.
        size: (H, W); None: any.

    Raises:
        PictureError: if it has another type or shape, or values that are not finite.

    Examples:
        >>> import numpy as np
        >>> from fastreid.deploy.pictures import check_batch
        >>> check_batch(np.zeros((2, 3, 256, 128)), size=(256, 128)).dtype.name
        'float32'
    """
    is_known_type = images.dtype.kind == "f" or images.dtype == np.uint8
    is_known_shape = images.ndim == 4 and images.shape[1] == 3
    if not (is_known_type and is_known_shape) or (size and images.shape[2:] != size):
        raise PictureError(
            f"An array of {images.dtype} with shape {images.shape} was given; {_expected(size)} is "
            "expected."
        )
    batch = np.ascontiguousarray(images, np.float32)
    if not np.isfinite(batch).all():
        raise PictureError("The images contain values that are not finite numbers.")
    return batch


def open_pictures(images: Any, size: Size = None, *, bgr: bool = False) -> Iterator[Image.Image]:
    """Open pictures as 8-bit RGB, one after another.

    Args:
        images: a path, a PIL image, a uint8 array (H, W, 3), or a sequence of these; a uint8 array
            (N, H, W, 3) is a sequence.
        size: (H, W) that the network takes, for messages.
        bgr: whether arrays have the channels blue, green, red, as OpenCV gives them.

    Raises:
        PictureError: if something is not a picture; the message gives its place in a sequence.
        ImageError: if a file is missing or cannot be read; both when it is this picture's turn.

    Examples:
        >>> import numpy as np
        >>> from fastreid.deploy.pictures import open_pictures
        >>> blue_in_bgr = np.full((4, 2, 3), (255, 0, 0), np.uint8)
        >>> (picture,) = open_pictures([blue_in_bgr], bgr=True)
        >>> picture.size, picture.getpixel((0, 0))
        ((2, 4), (0, 0, 255))
    """
    return (_open(picture, where, size, bgr) for picture, where in _each(images))


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a picture to (height, width) with the bicubic filter of `DefaultPredictor`."""
    return picture.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def cropped(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut out the centre of (height, width); outside of the picture is black.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.deploy.pictures import cropped
        >>> cropped(Image.new("RGB", (256, 300)), (224, 224)).size
        (224, 224)
    """
    height, width = size
    top, left = round((picture.height - height) / 2), round((picture.width - width) / 2)
    return picture.crop((left, top, left + width, top + height))


def prepared(
    picture: Image.Image, resize: tuple[int, int], crop: tuple[int, int] | None
) -> np.ndarray:
    """Resize a picture, and cut out its centre if the model needs that.

    Args:
        picture: RGB.
        resize: (height, width) to which it is resized.
        crop: (height, width) of the centre; None: all of it.

    Returns:
        (3, H, W) float32, RGB in 0..255.
    """
    picture = resized(picture, resize)
    return to_array(cropped(picture, crop) if crop else picture)


def to_array(picture: Image.Image) -> np.ndarray:
    """Return a picture as float32 (3, H, W), RGB in 0..255.

    Examples:
        >>> from PIL import Image
        >>> from fastreid.deploy.pictures import to_array
        >>> array = to_array(Image.new("RGB", (128, 256), (255, 128, 0)))
        >>> array.shape, array[:, 0, 0].tolist()
        ((3, 256, 128), [255.0, 128.0, 0.0])
    """
    return np.asarray(picture, np.float32).transpose(2, 0, 1)


def _each(images: Any) -> Iterator[tuple[Any, str]]:
    """List pictures with their places, in words."""
    is_many = isinstance(images, Sequence) and not isinstance(images, (str, bytes))
    if is_many or (isinstance(images, np.ndarray) and images.ndim == 4):
        for index, picture in enumerate(images):
            yield picture, f"images[{index}]"
    else:
        yield images, "The image"


def _open(picture: Any, where: str, size: Size, bgr: bool) -> Image.Image:
    if isinstance(picture, (str, os.PathLike)):
        return read_image(os.fspath(picture))
    if isinstance(picture, Image.Image):
        return _read(picture, where, size)
    if not isinstance(picture, np.ndarray):
        raise PictureError(
            f"{where} is of type {type(picture).__name__}; {_expected(size)} is expected."
        )
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise PictureError(
            f"{where} is an array of {picture.dtype} with shape {picture.shape}; "
            f"{_expected(size)} is expected."
        )
    return Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1] if bgr else picture))


def _read(picture: Image.Image, where: str, size: Size) -> Image.Image:
    """Read the pixels of an image, which Pillow leaves in the file until they are needed."""
    if 0 in picture.size:
        raise PictureError(
            f"{where} is a PIL image of {picture.width}x{picture.height} pixels; {_expected(size)} "
            "is expected."
        )
    try:
        picture.load()
        return to_rgb(picture)
    except READ_ERRORS as error:
        name = getattr(picture, "filename", "")
        what = f"{where}, a PIL image of {name}," if name else f"{where}, a PIL image,"
        raise PictureError(f"{what} cannot be read: {error}. Replace or remove it.") from error


def _expected(size: Size) -> str:
    height, width = size or ("H", "W")
    return _FORMS.format(shape=f"(N, 3, {height}, {width}) of RGB in 0..255")
