"""Choose boxes of a track, and cut them out of a video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .boxes import Box, BoxError
from .reading import FrameReader, Video


class Crop(NamedTuple):
    """A box, cut out of its frame.

    Attributes:
        box: where it was.
        seconds: time of the frame since the start of the video.
        picture: what is inside, RGB.
    """

    box: Box
    seconds: float
    picture: Image.Image


def best_boxes(boxes: Sequence[Box], count: int, size: tuple[int, int]) -> list[Box]:
    """Choose the boxes with the highest scores and the largest areas in the picture.

    Boxes are ordered by the sum of two ranks, that of the score and that of the area, so that
    scores may have any scale.

    Args:
        boxes: N boxes of a track.
        count: how many are chosen; all of fewer boxes.
        size: width and height of the picture.

    Returns:
        The chosen boxes, the best first.

    Raises:
        BoxError: a box is outside of the picture.
    """
    regions = np.array([box.region(size) for box in boxes]).reshape(-1, 4)
    areas = np.prod(regions[:, 2:] - regions[:, :2], axis=1)
    ranks = _rank(np.array([box.score for box in boxes])) + _rank(areas)
    order = np.lexsort([np.arange(len(boxes)), -areas, -ranks])
    return [boxes[index] for index in order[:count]]


def spread_boxes(boxes: Sequence[Box], count: int, size: tuple[int, int]) -> list[Box]:
    """Choose boxes from the whole time of a track: the best of each of its parts.

    Args:
        boxes: N boxes of a track, in the order of the frames.
        count: number of the parts; all boxes of a shorter track are chosen.
        size: width and height of the picture.

    Returns:
        The chosen boxes, in the order of the frames.

    Raises:
        BoxError: a box is outside of the picture.
    """
    parts = np.array_split(np.arange(len(boxes)), min(count, len(boxes)) or 1)
    chosen = [best_boxes([boxes[index] for index in part], 1, size) for part in parts]
    return [box for some in chosen for box in some]


def cut_boxes(reader: FrameReader, boxes: Sequence[Box], size: tuple[int, int]) -> Iterator[Crop]:
    """Cut boxes out of the frames of a video.

    Args:
        reader: gives the frames of the boxes; see `frames_of`.
        boxes: the boxes, in any order.
        size: width and height of the picture.

    Yields:
        The crops, in the order of the frames. Boxes in frames that cannot be decoded are left out.
    """
    boxes_of = defaultdict(list)
    for box in boxes:
        boxes_of[box.frame].append(box)
    for frame in reader:
        for box in boxes_of[frame.number]:
            left, top, right, bottom = box.region(size)
            # A view would keep the whole frame in memory.
            pixels = np.ascontiguousarray(frame.pixels[top:bottom, left:right, ::-1])
            yield Crop(box, frame.seconds, Image.fromarray(pixels))


def frames_of(video: Video, boxes: Sequence[Box], until: int | None = None) -> FrameReader:
    """Read the frames that boxes are in.

    Args:
        video: the video.
        boxes: at least one box.
        until: number of the last frame that is read; None: that of the last box.
    """
    only = frozenset(box.frame for box in boxes)
    return video.frames(only=only, until=until or max(only))


def require_frames(video: Video, reader: FrameReader, boxes: Sequence[Box]) -> None:
    """Check that a video has the frames of boxes.

    Args:
        video: the video.
        reader: it has been read to the frame of the last box.
        boxes: at least one box.

    Raises:
        BoxError: the last frame is before that of a box.
    """
    late = next((box for box in boxes if box.frame > reader.end), None)
    if late is not None:
        raise BoxError(
            f"{late.place or 'A box'}: frame {late.frame} is beyond the end of {video.path}, which "
            f"has {reader.end} frames. Are these boxes of another video?"
        )


def _rank(values: np.ndarray) -> np.ndarray:
    """Return for each value the number of smaller ones, and half of those that are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[place.reshape(-1)]
