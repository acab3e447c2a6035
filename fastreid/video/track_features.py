"""One feature for each track of a video: the mean of those of its best crops."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

import numpy as np
from PIL import Image

from fastreid.gallery import GalleryError, mean_direction

from .boxes import Box, by_track
from .crops import Crop, best_boxes, cut_boxes, frames_of, require_frames
from .reading import Video, VideoError

# Maps pictures to features (N, D).
Embed = Callable[[Sequence[Image.Image]], np.ndarray]

_BATCH = 64

logger = logging.getLogger(__name__)


class TrackFeature(NamedTuple):
    """What a track looks like.

    Attributes:
        track: its number.
        feature: (D,) float64 of length 1.
        boxes: the boxes whose crops were used, the best first.
        pictures: some of these crops, the best first.
        frames: numbers of the first and the last frame of the track.
    """

    track: int
    feature: np.ndarray
    boxes: tuple[Box, ...]
    pictures: tuple[Image.Image, ...]
    frames: tuple[int, int]


def track_features(
    video: Video,
    boxes: Sequence[Box],
    embed: Embed,
    *,
    count: int = 8,
    shown: int = 3,
) -> list[TrackFeature]:
    """Compute one feature for each track.

    Args:
        video: the video.
        boxes: boxes of tracks, at least one.
        embed: computes the features of pictures.
        count: most crops of a track, the best by score and area.
        shown: most crops of a track that are kept.

    Returns:
        The tracks, in the order of their numbers. A track all of whose crops are in frames that
        cannot be decoded is left out, with a warning.

    Raises:
        BoxError: a box is outside of the picture, or its frame is beyond the end of the video.
        VideoError: no crop can be read.
    """
    tracks = by_track(boxes)
    best = {track: best_boxes(some, count, video.size) for track, some in tracks.items()}
    kept = {box for some in best.values() for box in some[:shown]}
    chosen = [box for some in best.values() for box in some]
    reader = frames_of(video, chosen, until=max(box.frame for box in boxes))
    features: dict[Box, np.ndarray] = {}
    pictures: dict[Box, Image.Image] = {}
    for part in _batches(cut_boxes(reader, chosen, video.size)):
        for crop, feature in zip(part, embed([crop.picture for crop in part])):
            features[crop.box] = feature
            if crop.box in kept:
                pictures[crop.box] = crop.picture
    require_frames(video, reader, boxes)
    if reader.remark():
        logger.warning("%s", reader.remark())
    if not features:
        raise VideoError(f"No frame of the boxes can be read from {video.path}.")
    found = []
    for track, some in best.items():
        used = tuple(box for box in some if box in features)
        if not used:
            logger.warning("Track %d is left out: none of its best frames can be read.", track)
            continue
        try:
            mean = mean_direction(np.stack([features[box] for box in used]))
        except GalleryError as error:
            raise VideoError(f"Track {track} of {video.path}: {error}") from error
        looks = tuple(pictures[box] for box in used if box in pictures)
        frames = tracks[track][0].frame, tracks[track][-1].frame
        found.append(TrackFeature(track, mean, used, looks, frames))
    return found


def _batches(crops: Iterator[Crop]) -> Iterator[list[Crop]]:
    while part := list(itertools.islice(crops, _BATCH)):
        yield part
