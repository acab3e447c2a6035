"""Write demo pictures in the layout of the cropped CUHK-SYSU."""

from __future__ import annotations

from pathlib import Path

from .files import save_jpeg
from .population import Group, Picture, Population, Sizes


def write_training_crops(folder: Path, population: Population, sizes: Sizes) -> None:
    """Write cropped_images, e.g. p1_s12_3.jpg: identity, frame, number.

    Unlike the real folder, it does not contain the test persons: training and test persons differ.

    Args:
        folder: existing folder cuhk_sysu.
        population: persons and scenes.
        sizes: numbers of persons and pictures.
    """
    for number in range(sizes.train_ids):
        pictures = population.pictures(Group.TRAIN, number, sizes.images)
        for position, picture in enumerate(pictures):
            name = f"p{number + 1}_s{picture.camera + 1}_{position + 1}.jpg"
            path = folder / "cropped_images" / name
            save_jpeg(path, picture.image, quality=population.domain.jpeg_quality)


def write_reid_version(folder: Path, population: Population, sizes: Sizes) -> None:
    """Write train, query and gallery, e.g. query/00061_s12_0000003_0.jpg; one query per person.

    Args:
        folder: existing folder cuhksysu4reid.
        population: persons and scenes.
        sizes: numbers of persons and pictures.
    """
    quality = population.domain.jpeg_quality
    for number in range(sizes.train_ids):
        for position, picture in enumerate(population.pictures(Group.TRAIN, number, sizes.images)):
            name = _name(number + 1, picture, number * sizes.images + position)
            save_jpeg(folder / "train" / name, picture.image, quality=quality)
    for number in range(sizes.test_ids):
        for position, picture in enumerate(population.pictures(Group.TEST, number, sizes.images)):
            split = "query" if position == 0 else "gallery"
            pid = sizes.train_ids + number + 1
            name = _name(pid, picture, number * sizes.images + position)
            save_jpeg(folder / split / name, picture.image, quality=quality)


def _name(pid: int, picture: Picture, count: int) -> str:
    return f"{pid:05d}_s{picture.camera + 1}_{count:07d}_0.jpg"
