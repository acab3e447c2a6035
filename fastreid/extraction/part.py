"""Compute the features of the images of one part, in two steps that may run on two machines."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Callable, NamedTuple

import numpy as np

from fastreid.data import build_transforms
from fastreid.evaluation.features.part_file import PREFIX, SUFFIX, PartColumns, encode_part
from fastreid.utils.file_io.images import ImageError, read_image
from fastreid.utils.file_io.places import is_address, open_place
from fastreid.utils.messages.errors import EXPLAINABLE, ExplainedError, explain

from .listing import Listing
from .model import ExtractionModel, LoadedModel
from .output_folder import OutputFolder

_NAME_CHARACTERS = 24


class ExtractionError(ExplainedError, RuntimeError):
    """A process that extracts features failed; the message is the reason."""


class Unreadable(NamedTuple):
    """An image that cannot be read, and why."""

    path: str
    reason: str


class Part(NamedTuple):
    """Images that make one part.

    Attributes:
        name: name of the file, which depends on the paths only.
        images: paths and labels.
    """

    name: str
    images: Listing


class PreparedPart(NamedTuple):
    """The images of a part, read and resized.

    Attributes:
        name: name of the file.
        images: paths and labels of the N images that can be read.
        pixels: (N, 3, H, W) RGB, 0..255.
        unreadable: the other images.
    """

    name: str
    images: Listing
    pixels: np.ndarray
    unreadable: list[Unreadable]


class PartResult(NamedTuple):
    """What was done for a part.

    Attributes:
        name: name of the file; there is none if no image can be read.
        num_images: number of images with features.
        unreadable: images that cannot be read.
        error: why the extraction cannot go on; "" if it can.
    """

    name: str
    num_images: int
    unreadable: list[Unreadable]
    error: str = ""


def divide(images: Listing, size: int) -> list[Part]:
    """Divide images into parts.

    Args:
        images: N images.
        size: number of images in a part; the last one may have fewer.

    Examples:
        >>> from fastreid.extraction import Listing
        >>> from fastreid.extraction.part import divide
        >>> paths = ["a.jpg", "b.jpg", "c.jpg"]
        >>> [part.images.paths for part in divide(Listing(paths, [""] * 3, [""] * 3), size=2)]
        [['a.jpg', 'b.jpg'], ['c.jpg']]
    """
    parts = []
    for start in range(0, len(images.paths), size):
        some = Listing(*(column[start : start + size] for column in images))
        digest = hashlib.sha256("\0".join(some.paths).encode("utf-8", "surrogateescape"))
        parts.append(Part(f"{PREFIX}{digest.hexdigest()[:_NAME_CHARACTERS]}{SUFFIX}", some))
    return parts


class PartWorker:
    """Computes and writes parts; can be sent to other processes before it is used.

    Args:
        model: the network.
        output: the folder for the parts.
        threads: threads of the processor that it may use.
    """

    def __init__(self, model: ExtractionModel, output: OutputFolder, *, threads: int = 1) -> None:
        self.model = model
        self.output = output
        self.threads = threads

    def __call__(self, part: Part) -> PartResult:
        """Compute and write a part.

        Args:
            part: its images.

        Returns:
            What was done. An error that a user can mend is part of the result.
        """
        return self.finish(self.prepare(part))

    def prepare(self, part: Part) -> PreparedPart | PartResult:
        """Read and resize the images of a part.

        Args:
            part: its images.

        Returns:
            The pixels, or a result with an error.
        """
        try:
            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(self._read, part.images.paths))
            return _prepared(part, found)
        except EXPLAINABLE as error:
            return _failure(part.name, error)

    def finish(self, part: PreparedPart | PartResult) -> PartResult:
        """Compute and write the features of a part.

        Args:
            part: result of `prepare`, of this or another process.
        """
        if isinstance(part, PartResult):
            return part
        try:
            if part.images.paths:
                features = self._loaded.compute(part.pixels, part.images.paths)
                columns = PartColumns(*part.images, features)
                info = self.model.info._replace(weights_sha256=self._loaded.weights_sha256)
                self.output.write(part.name, encode_part(info, columns))
            return PartResult(part.name, len(part.images.paths), part.unreadable)
        except EXPLAINABLE as error:
            return _failure(part.name, error)

    @cached_property
    def _loaded(self) -> LoadedModel:
        return self.model.load(self.threads)

    @cached_property
    def _transform(self) -> Callable:
        return build_transforms(self.model.read_cfg(), is_train=False, dtype=np.uint8)

    def _read(self, path: str) -> np.ndarray | Unreadable:
        if not _is_unicode(path):
            return Unreadable(path, f"The name of {path} is not valid UTF-8. Rename the file.")
        try:
            content = _content(path) if is_address(path) else None
            return self._transform(read_image(path, content), np.random.default_rng(0))
        except ImageError as error:
            return Unreadable(path, str(error))


def _is_unicode(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _content(address: str) -> io.BytesIO:
    """Read a file of another file system."""
    try:
        place = open_place(address)
        with place.files.open_input_stream(place.path) as stream:
            return io.BytesIO(stream.read())
    except OSError as error:
        raise ImageError(f"Image file {address} cannot be read: {error}") from error


def _prepared(part: Part, found: Sequence[np.ndarray | Unreadable]) -> PreparedPart:
    unreadable = [entry for entry in found if isinstance(entry, Unreadable)]
    images = part.images.without({path for path, _ in unreadable})
    arrays = [entry for entry in found if not isinstance(entry, Unreadable)]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"The images have {len(shapes)} sizes; set INPUT.SIZE_TEST to one height and width."
        )
    pixels = np.stack(arrays) if arrays else np.empty((0, 3, 0, 0), np.uint8)
    return PreparedPart(part.name, images, pixels, unreadable)


def _failure(name: str, error: Exception) -> PartResult:
    message = explain(error)
    if message is None:
        raise error
    return PartResult(name, 0, [], message)


def checked(results: Iterator[PartResult]) -> Iterator[PartResult]:
    """Pass results on until one has an error.

    Args:
        results: results of any processes.

    Raises:
        ExtractionError: a part failed.
    """
    for result in results:
        if result.error:
            raise ExtractionError(result.error)
        yield result
