"""Link detections that overlap from frame to frame into tracks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from .boxes import Box
from .detection import Detector
from .reading import Frame


class LinkSettings(NamedTuple):
    """What becomes a track.

    Attributes:
        min_overlap: least overlap (intersection over union) of two boxes of a track, 0..1.
        max_gap: most pictures in a row in which the person of a track is not found.
        min_height: least height of a box, in pixels.
        min_length: least number of boxes of a track.
    """

    min_overlap: float = 0.3
    max_gap: int = 5
    min_height: float = 0.0
    min_length: int = 1


class TrackLinker:
    """Gives a track to each detection of one picture after another.

    The sum of the overlaps with the last box of each track is made as large as possible
    (`scipy.optimize.linear_sum_assignment`). A detection without a track starts one.

    Args:
        settings: what becomes a track.
    """

    def __init__(self, settings: LinkSettings | None = None) -> None:
        self._settings = settings or LinkSettings()
        self._boxes = np.empty((0, 4))
        # Number of each open track, and in how many pictures in a row it was not found.
        self._tracks = np.empty(0, np.int64)
        self._gaps = np.empty(0, np.int64)
        self._count = 0

    def update(self, boxes: np.ndarray) -> np.ndarray:
        """Link the detections of the next picture.

        Args:
            boxes: (N, 4) left, top, width and height.

        Returns:
            (N,) numbers of their tracks, from 1 on.
        """
        found = np.full(len(boxes), 0, np.int64)
        shares = overlaps(self._boxes, boxes)
        # What overlaps too little may not take the place of a valid pair.
        shares[shares < self._settings.min_overlap] = 0
        rows, columns = linear_sum_assignment(shares, maximize=True)
        valid = shares[rows, columns] > 0
        rows, columns = rows[valid], columns[valid]
        found[columns] = self._tracks[rows]
        self._boxes[rows] = boxes[columns]
        self._gaps += 1
        self._gaps[rows] = 0
        new = np.flatnonzero(found == 0)
        found[new] = self._count + 1 + np.arange(len(new))
        self._count += len(new)
        self._keep_open(boxes[new], found[new])
        return found

    def _keep_open(self, boxes: np.ndarray, tracks: np.ndarray) -> None:
        """Close the tracks that were not found for too long, and open new ones."""
        is_open = self._gaps <= self._settings.max_gap
        self._boxes = np.concatenate([self._boxes[is_open], boxes])
        self._tracks = np.concatenate([self._tracks[is_open], tracks])
        self._gaps = np.concatenate([self._gaps[is_open], np.zeros(len(tracks), np.int64)])


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the intersection over the union of boxes.

    Args:
        first: (N, 4) left, top, width and height.
        second: (M, 4).

    Returns:
        (N, M), 0..1.
    """
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(
        first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:]
    )
    common = np.prod(np.maximum(end - corner, 0), axis=2)
    areas = np.prod(first[:, 2:], axis=1)[:, None] + np.prod(second[:, 2:], axis=1)[None, :]
    return common / np.maximum(areas - common, np.finfo(float).tiny)


def link_people(
    frames: Iterable[Frame], detect: Detector, settings: LinkSettings | None = None
) -> list[Box]:
    """Find people in frames, and link them into tracks.

    Args:
        frames: frames in order.
        detect: finds people in a picture.
        settings: what becomes a track.

    Returns:
        The boxes of tracks that are long enough; the tracks are numbered from 1 on, in the order in
        which they begin.
    """
    settings = settings or LinkSettings()
    linker = TrackLinker(settings)
    boxes = [box for frame in frames for box in _linked(frame, detect, linker, settings)]
    kept = select_boxes(boxes, settings)
    numbers = sorted({box.track for box in kept})
    number_of = {track: number for number, track in enumerate(numbers, start=1)}
    return [box._replace(track=number_of[box.track]) for box in kept]


def select_boxes(boxes: Sequence[Box], settings: LinkSettings, *, every: int = 1) -> list[Box]:
    """Leave out low boxes, and then short tracks.

    Args:
        boxes: boxes of tracks.
        settings: what becomes a track.
        every: N for the boxes in frames 1, N + 1, 2 N + 1, ... only.

    Returns:
        The other boxes, in the same order.
    """
    kept = [
        box for box in boxes if box.height >= settings.min_height and (box.frame - 1) % every == 0
    ]
    lengths = Counter(box.track for box in kept)
    return [box for box in kept if lengths[box.track] >= settings.min_length]


def _linked(
    frame: Frame, detect: Detector, linker: TrackLinker, settings: LinkSettings
) -> Iterator[Box]:
    found = detect(frame.pixels)
    # As `write_boxes` writes them, so that those of its file are in the picture, too.
    found = found._replace(boxes=np.asarray(found.boxes, float).round(2))
    height, width = frame.pixels.shape[:2]
    is_inside = [Box(frame.number, 0, *row).is_inside((width, height)) for row in found.boxes]
    kept = np.array(is_inside, bool) & (found.boxes[:, 3] >= settings.min_height)
    boxes, scores = found.boxes[kept], found.scores[kept]
    tracks = linker.update(boxes)
    for track, (left, top, width, height), score in zip(tracks.tolist(), boxes.tolist(), scores):
        yield Box(frame.number, track, left, top, width, height, float(score))
