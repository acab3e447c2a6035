"""People that are looked for in a gallery: those of a video, or the person of some images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fastreid.gallery import Filter, Gallery, Match, mean_direction, search_identities
from fastreid.utils.file_io.images import read_image

from .boxes import Box
from .reading import Video
from .track_features import Embed, track_features

# Pictures of a person that a sheet shows.
_SHOWN = 3


class Person(NamedTuple):
    """A person that is looked for.

    Attributes:
        name: what the person is called, such as "track 7".
        feature: (D,) of any length above 0.
        pictures: some pictures, RGB.
        facts: what else is known; the same names for all people of a search.
    """

    name: str
    feature: np.ndarray
    pictures: Sequence[Image.Image]
    facts: Mapping[str, Any]


class FoundPerson(NamedTuple):
    """A person, and what a gallery has that is similar.

    Attributes:
        person: who was looked for.
        matches: entries of the gallery, the most similar first.
    """

    person: Person
    matches: Sequence[Match]


def person_of_images(paths: Sequence[str | Path], embed: Embed) -> Person:
    """Average the features of images of one person.

    Args:
        paths: image files, at least one.
        embed: computes the features of pictures.

    Raises:
        ImageError: a file cannot be read.
        GalleryError: a feature is zero or not finite.
    """
    names = [str(path) for path in paths]
    pictures = [read_image(name) for name in names]
    feature = mean_direction(embed(pictures))
    return Person(", ".join(names), feature, pictures[:_SHOWN], {"images": len(names)})


def people_of_video(
    video: Video, boxes: Sequence[Box], embed: Embed, *, count: int = 8
) -> list[Person]:
    """Average the features of the best crops of each track.

    Args:
        video: the video.
        boxes: boxes of tracks, at least one.
        embed: computes the features of pictures.
        count: most crops of a track.

    Raises:
        BoxError: a box does not fit the video.
        VideoError: no crop can be read.
    """
    people = []
    for found in track_features(video, boxes, embed, count=count, shown=_SHOWN):
        facts = {
            "track": found.track,
            "first_frame": found.frames[0],
            "last_frame": found.frames[1],
            "crops": len(found.boxes),
        }
        people.append(Person(f"track {found.track}", found.feature, found.pictures, facts))
    return people


def find_people(
    gallery: Gallery,
    people: Sequence[Person],
    *,
    top: int = 10,
    only: Filter | None = None,
    all_images: bool = False,
) -> list[FoundPerson]:
    """Look for people in a gallery.

    Args:
        gallery: the gallery.
        people: at least one person.
        top: how many results for a person.
        only: which entries are considered; None: all.
        all_images: whether an identity may be listed several times, by all its images. Otherwise it
            is listed once, by the most similar image.

    Raises:
        GalleryError: the features do not fit the gallery.
    """
    features = np.stack([person.feature for person in people])
    if all_images:
        found = gallery.search(features, top=top, only=only)
    else:
        found = search_identities(gallery, features, top=top, only=only)
    return [FoundPerson(person, matches) for person, matches in zip(people, found)]
