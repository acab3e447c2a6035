"""Write demo pictures under file names that a template gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .files import save_jpeg
from .population import Group, Population, Sizes, first_of_each_camera

_DISTRACTORS = 3


class Files(NamedTuple):
    """Names of the pictures of some persons.

    Attributes:
        who: "train", "test", "query" (the first picture of each camera of a test person), "gallery"
            (the others) or "distractors" (persons of the gallery only, seen by the last camera).
        path: format of the path below the folder of the data set, with the fields pid, cam, n (of
            the picture, from 1, in its person) and count (in the data set, from 1).
        cameras: names of the cameras, as in the path.
        share: (k, of): only every `of`-th person, from the k-th, so that several entries divide the
            persons among them.
        only: the one of the cameras whose pictures are written; None: all.
    """

    who: str
    path: str
    cameras: Sequence[str]
    share: tuple[int, int] = (0, 1)
    only: str | None = None


class Written(NamedTuple):
    """A picture that was written; ``path`` is relative to the folder of the data set."""

    who: str
    path: str
    pid: int
    cam: str


Finish = Callable[[Path, Sequence[Written]], None]


class Template(NamedTuple):
    """A folder of a data set.

    Attributes:
        folder: name of the folder under the data root.
        files: the pictures.
        one_per_camera: whether each person has a single picture from each camera.
        first_pid: identity of the first training person.
        most_ids: most training persons and most test persons.
        finish: writes further files, such as lists; called with the folder and its pictures.
    """

    folder: str
    files: Sequence[Files]
    one_per_camera: bool = False
    first_pid: int = 1
    most_ids: int = 10**6
    finish: Finish | None = None

    def write(self, folder: Path, population: Population, sizes: Sizes) -> None:
        """Write the pictures and the further files.

        Args:
            folder: existing folder of the data set.
            population: persons and cameras.
            sizes: numbers of persons and pictures.
        """
        written: list[Written] = []
        for files in self.files:
            for pid, camera, number, image in self._pictures(files, population, sizes):
                cam = files.cameras[camera]
                path = files.path.format(pid=pid, cam=cam, n=number, count=len(written) + 1)
                _save(folder / path, image, quality=population.domain.jpeg_quality)
                written.append(Written(files.who, path, pid, cam))
        if self.finish is not None:
            self.finish(folder, written)

    def _pictures(
        self, files: Files, population: Population, sizes: Sizes
    ) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Identity, camera, number in the person and pixels."""
        train_ids, test_ids = (
            min(size, self.most_ids) for size in (sizes.train_ids, sizes.test_ids)
        )
        # Two pictures from each camera, so that a test person has queries and gallery pictures.
        most = population.domain.num_cameras if self.one_per_camera else sizes.images // 2
        num_cameras = min(len(files.cameras), population.domain.num_cameras, most)
        if files.who == "distractors":
            camera = num_cameras - 1
            for number in range(_DISTRACTORS):
                (picture,) = population.pictures(Group.TEST, test_ids + number, 1, cameras=[camera])
                yield 0, camera, number + 1, picture.image
            return
        is_train = files.who == "train"
        first = self.first_pid + (0 if is_train else train_ids)
        count = num_cameras if self.one_per_camera else sizes.images
        for number in range(files.share[0], train_ids if is_train else test_ids, files.share[1]):
            pictures = list(
                population.pictures(
                    Group.TRAIN if is_train else Group.TEST,
                    number,
                    count,
                    cameras=range(num_cameras),
                )
            )
            queries = first_of_each_camera(pictures)
            for position, picture in enumerate(pictures):
                kinds = ("train", "test", "query" if queries[position] else "gallery")
                if files.who in kinds and files.only in (None, files.cameras[picture.camera]):
                    yield first + number, picture.camera, position + 1, picture.image


def _save(path: Path, image: np.ndarray, *, quality: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".jpg", ".jpeg"):
        save_jpeg(path, image, quality=quality)
    else:
        Image.fromarray(image).save(path)
