"""Boxes of tracked people, in files with the columns of the MOTChallenge.

Positions are counted from 0, as BoxMOT and ByteTrack write them; the MOTChallenge's own files start
at 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fastreid.utils.atomic_file import replacing
from fastreid.utils.messages.errors import ExplainedError

FORMAT = "frame, id, left, top, width, height, score"
_SEPARATORS = re.compile(r"[,;\s]+")
_FEWEST_FIELDS = 6


class BoxError(ExplainedError, ValueError):
    """Boxes cannot be used; the message names the file and the line."""


class Box(NamedTuple):
    """Where a person is in a frame.

    Attributes:
        frame: number of the frame, 1 for the first.
        track: number of the track.
        left, top: corner, in pixels from the corner of the picture; may be negative.
        width, height: size in pixels.
        score: confidence of the detection, on any scale.
        place: line of a file, for messages.
    """

    frame: int
    track: int
    left: float
    top: float
    width: float
    height: float
    score: float = 1.0
    place: str = ""

    def region(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the pixels of the box that are in a picture.

        Args:
            size: width and height of the picture.

        Returns:
            Left, top, right and bottom; right and bottom are not included.

        Raises:
            BoxError: no pixel of the box is in the picture.
        """
        width, height = size
        left, top, right, bottom = self._clipped(size)
        if not self.is_inside(size):
            raise BoxError(
                f"{self.place or 'A box'}: no pixel of the box of track {self.track} in frame "
                f"{self.frame} is in the picture, which has {width} x {height} pixels."
            )
        return left, top, right, bottom

    def is_inside(self, size: tuple[int, int]) -> bool:
        """Tell whether a pixel of the box is in a picture.

        Args:
            size: width and height of the picture.
        """
        left, top, right, bottom = self._clipped(size)
        return left < right and top < bottom

    def _clipped(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        width, height = size
        left, right = (_within(value, width) for value in (self.left, self.left + self.width))
        top, bottom = (_within(value, height) for value in (self.top, self.top + self.height))
        return left, top, right, bottom


def read_boxes(path: Path) -> list[Box]:
    """Read a file of tracks.

    A line has frame, id, left, top, width, height and, if known, the score; other columns are
    ignored. Commas, semicolons or white space separate them; a first line of names is skipped.

    Args:
        path: the file.

    Returns:
        The boxes, in the order of the file.

    Raises:
        FileNotFoundError: the file does not exist.
        BoxError: a line is not valid, or there are no boxes.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of boxes {path}.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BoxError(f"{path} is not a text file of boxes: {error}.") from error
    boxes: list[Box] = []
    line_of: dict[tuple[int, int], int] = {}
    for number, line in enumerate(lines, start=1):
        fields = [field for field in _SEPARATORS.split(line.strip()) if field]
        if not fields or (not line_of and _are_names(fields)):
            continue
        box = _box(fields, f"Line {number} of {path}")
        earlier = line_of.setdefault((box.frame, box.track), number)
        if earlier != number:
            raise BoxError(
                f"{box.place}: track {box.track} has a box in frame {box.frame} already, in line "
                f"{earlier}."
            )
        boxes.append(box)
    if not boxes:
        raise BoxError(f"{path} has no boxes; its lines must be {FORMAT}.")
    return boxes


def write_boxes(path: Path, boxes: Iterable[Box]) -> None:
    """Write a file of tracks, sorted by frame and track.

    Args:
        path: the file.
        boxes: the boxes.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for box in sorted(boxes):
            corners = ",".join(f"{value:.2f}" for value in box[2:6])
            file.write(f"{box.frame},{box.track},{corners},{box.score:.4f}\n")


def by_track(boxes: Iterable[Box]) -> dict[int, list[Box]]:
    """Group boxes by track, in the order of the tracks' numbers.

    Args:
        boxes: boxes of any tracks.

    Returns:
        For each track its boxes, in the order of the frames.
    """
    tracks: dict[int, list[Box]] = {}
    for box in sorted(boxes):
        tracks.setdefault(box.track, []).append(box)
    return dict(sorted(tracks.items()))


def _within(value: float, limit: int) -> int:
    return round(min(max(value, 0.0), float(limit)))


def _are_names(fields: Sequence[str]) -> bool:
    return not any(_is_number(field) for field in fields)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _box(fields: Sequence[str], place: str) -> Box:
    if len(fields) < _FEWEST_FIELDS:
        raise BoxError(f"{place} has {len(fields)} fields; it must have {FORMAT}.")
    used = fields[:7]
    wrong = next((f for f in used if not (_is_number(f) and math.isfinite(float(f)))), None)
    if wrong is not None:
        raise BoxError(f"{place}: {wrong!r} is not a number; a line has {FORMAT}.")
    frame, track, left, top, width, height, score = (*map(float, used), 1.0)[:7]
    for name, value, least in (("frame", frame, 1), ("id", track, 0)):
        if value < least or not value.is_integer():
            hint = " Detections without a track (id -1) must be linked first." * (value == -1)
            raise BoxError(
                f"{place}: the {name} is {value:g}; it must be a whole number, {least} or more."
                f"{hint}"
            )
    if width <= 0 or height <= 0:
        raise BoxError(f"{place}: the box is empty, its size is {width:g} x {height:g}.")
    return Box(int(frame), int(track), left, top, width, height, score, place)
