"""Write the lists and .mat files that belong to demo pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import io

from .templates import Written

_SPLITS = 10


def write_airport_list(folder: Path, pictures: Sequence[Written]) -> None:
    r"""Write filepath.txt, with lines such as "cam1\11001\1.jpg".

    Args:
        folder: folder of the data set.
        pictures: its pictures.
    """
    lines = (picture.path.replace("/", "\\") + "\r\n" for picture in pictures)
    (folder / "filepath.txt").write_bytes("".join(lines).encode())


def write_grid_partitions(folder: Path, pictures: Sequence[Written]) -> None:
    """Write features_and_partitions.mat with ten partitions into training and test persons.

    Args:
        folder: folder of the data set.
        pictures: its pictures.
    """
    pids = sorted({picture.pid for picture in pictures if picture.pid > 0})
    cells = np.empty((1, _SPLITS), object)
    for number in range(_SPLITS):
        order = np.random.default_rng(number).permutation(pids)
        parts = [np.sort(part)[None] for part in np.array_split(order, 2)]
        cells[0, number] = {"number": number + 1.0, "test": parts[1], "train": parts[0]}
    io.savemat(folder / "features_and_partitions.mat", {"trainIdxAll": cells})


def write_vehicleid_lists(folder: Path, pictures: Sequence[Written]) -> None:
    """Write train_test_split with the training list and the same test list for each size.

    Args:
        folder: folder of the data set.
        pictures: its pictures, named like image/0000001.jpg.
    """
    lists = {"train_list": "train"}
    lists |= {f"test_list_{size}": "test" for size in (800, 1600, 2400, 13164)}
    for name, who in lists.items():
        lines = [f"{Path(p.path).stem} {p.pid}\n" for p in pictures if p.who == who]
        _write(folder / "train_test_split" / f"{name}.txt", lines)


def write_veriwild_lists(folder: Path, pictures: Sequence[Written]) -> None:
    """Write train_test_split with the lists, and vehicle_info.txt with the cameras.

    Args:
        folder: folder of the data set.
        pictures: its pictures, named like images/00001/000001.jpg.
    """
    names = [p.path.removeprefix("images/").removesuffix(".jpg") for p in pictures]
    lists = {"train_list": "train"}
    for size in (3000, 5000, 10000):
        lists |= {f"test_{size}_query": "query", f"test_{size}": "gallery"}
    for name, who in lists.items():
        lines = [f"{image}\n" for image, p in zip(names, pictures) if p.who == who]
        _write(folder / "train_test_split" / f"{name}.txt", lines)
    info = [f"{image};{p.cam};2018-03-11 00:00:00;;;\n" for image, p in zip(names, pictures)]
    header = "id/image;Camera ID;Time;Model;Type;Color\n"
    _write(folder / "train_test_split" / "vehicle_info.txt", [header, *info])


def write_open_reid_files(folder: Path, pictures: Sequence[Written]) -> None:
    """Write meta.json and splits.json, as open-reid does.

    Args:
        folder: folder ``cuhk03``.
        pictures: its pictures; persons are numbered from 0, cameras "00" and "01".
    """
    count = 1 + max(picture.pid for picture in pictures)
    identities: list[list[list[str]]] = [[[], []] for _ in range(count)]
    for picture in pictures:
        identities[picture.pid][int(picture.cam)].append(Path(picture.path).name)
    train, test = (sorted({p.pid for p in pictures if p.who == who}) for who in ("train", "test"))
    release = folder / "cuhk03_release"
    split = {"trainval": train, "query": test, "gallery": test}
    _write(release / "splits.json", [json.dumps([split])])
    _write(release / "meta.json", [json.dumps({"name": "cuhk03", "identities": identities})])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")
