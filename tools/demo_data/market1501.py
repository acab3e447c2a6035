"""Write demo pictures in the layout of Market-1501."""

from __future__ import annotations

from pathlib import Path

from .files import save_jpeg
from .population import Group, Picture, Population, Sizes, first_of_each_camera

# False detections: identity 0 (distractors) stays in the gallery, -1 (junk) is dropped.
_DISTRACTORS = 20
_JUNK = 10
_FRAMES_BETWEEN_PICTURES = 25


def write_market1501(folder: Path, population: Population, sizes: Sizes) -> None:
    """Write bounding_box_train, query and bounding_box_test, e.g. 0002_c1s1_000451_03.jpg.

    Args:
        folder: existing folder of the data set.
        population: persons and cameras.
        sizes: numbers of persons and pictures.
    """
    writer = _Writer(folder, population.domain.jpeg_quality)
    for number in range(sizes.train_ids):
        for picture in population.pictures(Group.TRAIN, number, sizes.images):
            writer.write("bounding_box_train", number + 1, picture)
    for number in range(sizes.test_ids):
        pictures = list(population.pictures(Group.TEST, number, sizes.images))
        for picture, is_query in zip(pictures, first_of_each_camera(pictures)):
            split = "query" if is_query else "bounding_box_test"
            writer.write(split, sizes.train_ids + number + 1, picture)
    for number in range(_DISTRACTORS + _JUNK):
        pid = 0 if number < _DISTRACTORS else -1
        writer.write("bounding_box_test", pid, population.empty_picture(number))


class _Writer:
    """Writes files whose names have identity, camera, sequence, frame and box."""

    def __init__(self, folder: Path, jpeg_quality: int) -> None:
        self._folder = folder
        self._jpeg_quality = jpeg_quality
        self._frame = 1

    def write(self, split: str, pid: int, picture: Picture) -> None:
        self._frame += _FRAMES_BETWEEN_PICTURES
        label = "-1" if pid < 0 else f"{pid:04d}"
        box = 0 if split == "query" else 1 + self._frame % 5
        name = f"{label}_c{picture.camera + 1}s1_{self._frame:06d}_{box:02d}.jpg"
        save_jpeg(self._folder / split / name, picture.image, quality=self._jpeg_quality)
