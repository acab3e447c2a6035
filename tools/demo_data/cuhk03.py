"""Write demo pictures in the layout of CUHK03: cuhk-03.mat and the files of the new protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy import io

from .mat73 import Mat73Writer
from .population import Group, Picture, Population, Sizes, first_of_each_camera

_CAMERA_PAIRS = 5
_CELLS_PER_VIEW = 5
_CLASSIC_SPLITS = 20
_LARGEST_CUT = 0.07  # fraction of a picture that the detector may cut off at each side
_KINDS = ("detected", "labeled")


def require_h5py() -> ModuleType:
    """Import h5py, which writes the file format of cuhk-03.mat.

    Returns:
        The module.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "cuhk-03.mat is written with h5py, which is not installed: pip install h5py."
        ) from error
    return h5py


def write_cuhk03(folder: Path, population: Population, sizes: Sizes) -> None:
    """Write cuhk03_release/cuhk-03.mat and cuhk03_new_protocol_config_{detected,labeled}.mat.

    Args:
        folder: existing folder of the data set.
        population: persons and cameras.
        sizes: numbers of persons and pictures.
    """
    persons = [
        _Person(pair=number % _CAMERA_PAIRS, number=number // _CAMERA_PAIRS, group=group)
        for number, group in enumerate(
            [Group.TRAIN] * sizes.train_ids + [Group.TEST] * sizes.test_ids
        )
    ]
    for index, person in enumerate(persons):
        within = index if person.group is Group.TRAIN else index - sizes.train_ids
        cameras = (2 * person.pair, 2 * person.pair + 1)
        pictures = list(population.pictures(person.group, within, sizes.images, cameras=cameras))
        person.take(pictures, np.random.default_rng([index, sizes.images]))
    (folder / "cuhk03_release").mkdir()
    _write_release(folder / "cuhk03_release" / "cuhk-03.mat", persons)
    for kind in _KINDS:
        _write_protocol(folder / f"cuhk03_new_protocol_config_{kind}.mat", persons)


@dataclass
class _Person:
    """A person of a camera pair, with ten cells of pictures, five for each view."""

    pair: int
    number: int
    group: Group
    cells: dict[str, list] = field(default_factory=dict)
    is_query: dict[int, bool] = field(default_factory=dict)

    def take(self, pictures: Sequence[Picture], rng: np.random.Generator) -> None:
        """Put pictures into cells, and record which of them are queries."""
        self.cells = {kind: [None] * (2 * _CELLS_PER_VIEW) for kind in _KINDS}
        free = [0, _CELLS_PER_VIEW]
        for picture, is_query in zip(pictures, first_of_each_camera(pictures)):
            view = picture.camera % 2
            cell = free[view]
            free[view] += 1
            self.cells["labeled"][cell] = picture.image
            self.cells["detected"][cell] = _detect(picture.image, rng)
            self.is_query[cell] = is_query

    def file_name(self, cell: int) -> str:
        view = 1 if cell < _CELLS_PER_VIEW else 2
        return f"{self.pair + 1}_{self.number + 1:03d}_{view}_{cell + 1:02d}.png"


def _detect(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop a picture inexactly, as a person detector does."""
    height, width = image.shape[:2]
    top, bottom = (int(height * cut) for cut in rng.uniform(0, _LARGEST_CUT, 2))
    left, right = (int(width * cut) for cut in rng.uniform(0, _LARGEST_CUT, 2))
    return image[top : height - bottom, left : width - right]


def _write_release(path: Path, persons: Sequence[_Person]) -> None:
    pairs = [[person for person in persons if person.pair == pair] for pair in range(_CAMERA_PAIRS)]
    with Mat73Writer(require_h5py(), path) as mat:
        for kind in _KINDS:
            cells = [mat.cell([person.cells[kind] for person in pair]) for pair in pairs]
            mat.save(kind, mat.refer([[cell] for cell in cells]))
        splits = [[mat.array(split)] for split in _classic_splits(persons)]
        mat.save("testsets", mat.refer(splits))


def _classic_splits(persons: Sequence[_Person]) -> list[np.ndarray]:
    """Draw twenty sets of test persons, each (persons, 2): camera pair and person, from 1."""
    names = np.array([(person.pair + 1, person.number + 1) for person in persons], dtype=float)
    num_test = sum(person.group is Group.TEST for person in persons)
    rng = np.random.default_rng(0)
    return [
        names[np.sort(rng.permutation(len(persons))[:num_test])] for _ in range(_CLASSIC_SPLITS)
    ]


def _write_protocol(path: Path, persons: Sequence[_Person]) -> None:
    """Write the list of all pictures by person, and the indices of each split, from 1."""
    rows = [
        (label, person, cell)
        for label, person in enumerate(persons, start=1)
        for cell in sorted(person.is_query)
    ]
    splits: dict[str, list[int]] = {"train_idx": [], "query_idx": [], "gallery_idx": []}
    for index, (_, person, cell) in enumerate(rows, start=1):
        test_split = "query_idx" if person.is_query[cell] else "gallery_idx"
        splits["train_idx" if person.group is Group.TRAIN else test_split].append(index)
    names = np.empty((len(rows), 1), dtype=object)
    names[:, 0] = [person.file_name(cell) for _, person, cell in rows]
    columns = {name: _column(index) for name, index in splits.items()}
    columns["labels"] = _column([label for label, _, _ in rows])
    columns["camId"] = _column([1 if cell < _CELLS_PER_VIEW else 2 for _, _, cell in rows])
    io.savemat(path, {**columns, "filelist": names}, do_compression=True)
    _remove_date(path)


def _column(values: Sequence[int]) -> np.ndarray:
    # Integers, as in the real files, because readers use them as indices.
    return np.array(values, dtype=np.int32)[:, None]


def _remove_date(path: Path) -> None:
    """Replace the header text, which contains the time, so that the bytes are reproducible."""
    with path.open("r+b") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by fastreid".ljust(116))
