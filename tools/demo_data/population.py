"""The persons and cameras of a domain, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from .drawing.domain import Domain, draw_cameras
from .drawing.identity import draw_identity
from .drawing.render import Renderer


class Group(IntEnum):
    """Groups of persons, without a person in common; BACKGROUND: pictures without a person."""

    TRAIN = 1
    TEST = 2
    BACKGROUND = 3


class Picture(NamedTuple):
    """A picture.

    Attributes:
        camera: from 0.
        image: (H, W, 3) uint8 RGB.
    """

    camera: int
    image: np.ndarray


@dataclass(frozen=True)
class Sizes:
    """Sizes of a demo data set.

    Attributes:
        train_ids: number of training persons, 5 or more.
        test_ids: number of test persons, 5 or more.
        images: pictures of each person, 4 to 10 (CUHK03 has at most ten per person).

    Raises:
        ValueError: a size is not in its range.
    """

    train_ids: int = 60
    test_ids: int = 30
    images: int = 8

    def __post_init__(self) -> None:
        for name in ("train_ids", "test_ids"):
            if getattr(self, name) < 5:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 5 or more.")
        if not 4 <= self.images <= 10:
            raise ValueError(
                f"images is {self.images}; it must be 4 to 10: a test person needs a query and a "
                "gallery picture from two cameras, and CUHK03 has room for ten."
            )


class Population:
    """Persons and cameras of a domain, generated from a seed.

    A person depends only on the seed, the domain, the group and the number, not on the number of
    persons.

    Args:
        domain: look of the domain.
        index: index of the domain, a part of the seed.
        seed: seed, 0 or more.
    """

    def __init__(self, domain: Domain, *, index: int, seed: int) -> None:
        self.domain = domain
        self._seeds = (seed, index)
        cameras = draw_cameras(domain, self._generator(0, 0))
        self._renderer = Renderer(domain, cameras)

    def pictures(
        self,
        group: Group,
        number: int,
        count: int,
        *,
        cameras: Sequence[int] | None = None,
    ) -> Iterator[Picture]:
        """Render pictures of a person.

        Args:
            group: group of the person.
            number: number of the person in the group, from 0.
            count: number of pictures.
            cameras: cameras that see the person; None: they are drawn at random.

        Yields:
            The pictures; the cameras take turns.
        """
        rng = self._generator(group, number)
        person = draw_identity(rng)
        if cameras is None:
            num_cameras = min(self.domain.num_cameras, count // self.domain.images_per_camera)
            cameras = rng.permutation(self.domain.num_cameras)[:num_cameras].tolist()
        for turn in range(count):
            camera = cameras[turn % len(cameras)]
            yield Picture(camera, self._renderer.picture(person, camera, rng))

    def empty_picture(self, number: int) -> Picture:
        """Render a picture without a person.

        Args:
            number: number of the picture, a part of its seed.
        """
        rng = self._generator(Group.BACKGROUND, number)
        camera = int(rng.integers(self.domain.num_cameras))
        return Picture(camera, self._renderer.empty_picture(camera, rng))

    def _generator(self, group: int, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([*self._seeds, group, number]))


def first_of_each_camera(pictures: Sequence[Picture]) -> list[bool]:
    """Choose the queries of a person: one picture of each camera.

    Args:
        pictures: pictures of one person.

    Returns:
        For each picture, whether it is the first one of its camera.
    """
    cameras = [picture.camera for picture in pictures]
    return [camera not in cameras[:position] for position, camera in enumerate(cameras)]
