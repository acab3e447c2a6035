"""The people of a domain and their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from .drawing.domain import Domain, draw_cameras
from .drawing.identity import draw_identity
from .drawing.render import Photographer


class Group(IntEnum):
    """Which persons: groups have nobody in common."""

    TRAIN = 1
    TEST = 2
    PASSERS_BY = 3


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
    """How much a demo data set holds.

    Attributes:
        train_ids: persons to train on, 5 or more.
        test_ids: persons to find, 5 or more.
        images: pictures of each, 4 to 10 (a person of CUHK03 has ten at most).

    Raises:
        ValueError: out of these bounds.
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
    """Persons and cameras of a domain, made up from a seed.

    A person depends on the seed, the domain, the group and the number only, not on how many others
    there are.

    Args:
        domain: its look.
        index: of the domain, part of the seed.
        seed: 0 or more.
    """

    def __init__(self, domain: Domain, *, index: int, seed: int) -> None:
        self.domain = domain
        self._seeds = (seed, index)
        cameras = draw_cameras(domain, self._generator(0, 0))
        self._photographer = Photographer(domain, cameras)

    def pictures(
        self,
        group: Group,
        number: int,
        count: int,
        *,
        cameras: Sequence[int] | None = None,
    ) -> Iterator[Picture]:
        """Take pictures of a person.

        Args:
            group: the person's group.
            number: of the person in the group, from 0.
            count: how many pictures.
            cameras: those that see the person; by default some are drawn.

        Yields:
            The pictures, camera by camera in turn.
        """
        rng = self._generator(group, number)
        person = draw_identity(rng)
        if cameras is None:
            places = min(self.domain.num_cameras, count // self.domain.images_per_camera)
            cameras = rng.permutation(self.domain.num_cameras)[:places].tolist()
        for turn in range(count):
            camera = cameras[turn % len(cameras)]
            yield Picture(camera, self._photographer.picture(person, camera, rng))

    def empty_picture(self, number: int) -> Picture:
        """Take a picture of nobody.

        Args:
            number: makes the picture another one.

        Returns:
            The picture.
        """
        rng = self._generator(Group.PASSERS_BY, number)
        camera = int(rng.integers(self.domain.num_cameras))
        return Picture(camera, self._photographer.empty_picture(camera, rng))

    def _generator(self, group: int, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([*self._seeds, group, number]))


def first_of_each_camera(pictures: Sequence[Picture]) -> list[bool]:
    """Choose the queries of a person: one picture of each camera.

    Args:
        pictures: of one person.

    Returns:
        True for each picture that is the first one of its camera.
    """
    cameras = [picture.camera for picture in pictures]
    return [camera not in cameras[:position] for position, camera in enumerate(cameras)]
