"""Write demo pictures in the layout of MSMT17_V1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .files import save_jpeg
from .population import Group, Picture, Population, Sizes, first_of_each_camera

_TIMES = ("0303morning", "0303noon", "0303afternoon", "0113morning")


def write_msmt17(folder: Path, population: Population, sizes: Sizes) -> None:
    """Write train, test and the four lists, e.g. train/0000/0000_000_01_0303morning_0008_0.jpg.

    The last picture of each training person is in list_val.txt, the others in list_train.txt. As
    in the real set, test identities are numbered from 0 again.

    Args:
        folder: existing folder of the data set.
        population: persons and cameras.
        sizes: numbers of persons and pictures.
    """
    lists: dict[str, list[str]] = {"train": [], "val": [], "query": [], "gallery": []}
    quality = population.domain.jpeg_quality
    for pid in range(sizes.train_ids):
        pictures = list(population.pictures(Group.TRAIN, pid, sizes.images))
        lines = _write_person(folder / "train", pid, pictures, quality=quality)
        lists["train"] += lines[:-1]
        lists["val"] += lines[-1:]
    for pid in range(sizes.test_ids):
        pictures = list(population.pictures(Group.TEST, pid, sizes.images))
        lines = _write_person(folder / "test", pid, pictures, quality=quality)
        for line, is_query in zip(lines, first_of_each_camera(pictures)):
            lists["query" if is_query else "gallery"].append(line)
    for name, lines in lists.items():
        (folder / f"list_{name}.txt").write_text("".join(lines), encoding="utf-8")


def _write_person(
    folder: Path, pid: int, pictures: Sequence[Picture], *, quality: int
) -> list[str]:
    """Write the folder of a person; return the lines of its pictures for the lists."""
    lines = []
    for number, picture in enumerate(pictures):
        when = _TIMES[picture.camera % len(_TIMES)]
        frame = 8 + 40 * number
        name = f"{pid:04d}/{pid:04d}_{number:03d}_{picture.camera + 1:02d}_{when}_{frame:04d}_0.jpg"
        save_jpeg(folder / name, picture.image, quality=quality)
        lines.append(f"{name} {pid}\n")
    return lines
