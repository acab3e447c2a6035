"""Extract the images and splits of CUHK03 from its .mat files."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fastreid.utils.atomic_file import make_folder, replacing

from ..files import require_file
from .mat_file import read_mat
from .prepared_folder import cache_of, writable_folder

logger = logging.getLogger(__name__)

_NAME = "CUHK03"
_RELEASE = "cuhk03_release/cuhk-03.mat"
_CONFIGS = tuple(f"cuhk03_new_protocol_config_{boxes}.mat" for boxes in ("labeled", "detected"))
# A person has ten cells; the first five hold images of the first camera of the pair.
_IMAGES_PER_VIEW = 5
_PARTS = ("train", "query", "gallery")
# The last bytes of every complete PNG file.
_PNG_END = b"IEND\xaeB`\x82"


class Prepared(NamedTuple):
    """The files that CUHK03 is read from.

    Attributes:
        split_file: JSON file of the splits.
        folder: folder that contains ``images_<boxes>``.
    """

    split_file: Path
    folder: Path


def prepare_split(data_dir: Path, *, boxes: str, protocol: str) -> Prepared:
    """Find ``images_<boxes>`` and ``splits_<protocol>_<boxes>.json``, or extract them.

    They are made in `data_dir` or, if that is not writable, in the cache ($FASTREID_CACHE). A file
    or folder gets its name only when it is complete, so an interrupted run leaves no incomplete
    ones. If several processes make them at the same time, all use those of the first one. Missing
    images in a folder from an earlier version or from fast-reid are added.

    Args:
        data_dir: ``cuhk03_new``, with ``cuhk03_release/cuhk-03.mat`` and, for the new protocol,
            ``cuhk03_new_protocol_config_<boxes>.mat``.
        boxes: "labeled" or "detected".
        protocol: "new" or "classic".

    Returns:
        Paths of the split file and of the images.

    Raises:
        FileNotFoundError: a .mat file is missing.
        ModuleNotFoundError: h5py, which reads cuhk-03.mat, is not installed.
        ValueError: a .mat file is damaged.
        OSError: neither `data_dir` nor the cache is writable.
    """
    cache = cache_of(data_dir, [data_dir / name for name in (_RELEASE, *_CONFIGS)])
    name, split_name = f"images_{boxes}", f"splits_{protocol}_{boxes}.json"
    split_file = _first((data_dir, cache), split_name)
    # The images in the folder of the split file come first: those in `data_dir` may be incomplete.
    folder = _first((split_file.parent if split_file else data_dir, data_dir, cache), name)
    if split_file is not None and folder is not None:
        return Prepared(split_file, folder.parent)
    if split_file is not None and not (data_dir / _RELEASE).is_file():
        return Prepared(split_file, data_dir)
    images = _complete_images(data_dir, cache, boxes)
    if split_file is None:
        if protocol == "new":
            splits = [_new_split(data_dir / f"cuhk03_new_protocol_config_{boxes}.mat", images)]
        else:
            splits = _classic_splits(data_dir, images)
        split_file = writable_folder(data_dir, cache) / split_name
        with replacing(split_file) as temporary:
            temporary.write_text(json.dumps(splits, indent=4), encoding="utf-8")
        logger.info("Wrote %s", split_file)
    return Prepared(split_file, images.parent)


def _first(places: Iterable[Path], name: str) -> Path | None:
    return next((place / name for place in places if (place / name).exists()), None)


def _complete_images(data_dir: Path, cache: Path, boxes: str) -> Path:
    """Find the folder of all images, or extract them."""
    folder = _first((data_dir, cache), f"images_{boxes}")
    # Whether images are missing can be checked only with the release and with h5py to read it.
    can_compare = (data_dir / _RELEASE).is_file() and util.find_spec("h5py") is not None
    if folder is not None and not can_compare:
        return folder
    with _open_release(data_dir) as mat:
        cells = dict(_cells(mat, boxes))
        missing = cells.keys() - _complete_files(folder) if folder is not None else cells.keys()
        if folder is not None and not missing:
            return folder
        target = writable_folder(data_dir, cache) / f"images_{boxes}"
        if not target.is_dir():
            logger.info("Extracting the %s images of %s; this happens once", boxes, mat.filename)
            make_folder(target, partial(_save_images, mat, cells))
            # Another process may have made them with another version.
            missing = cells.keys() - _complete_files(target)
        if missing:
            logger.warning(
                "%s lacks %d of its %d images; extracting them", target, len(missing), len(cells)
            )
            for name in sorted(missing):
                with replacing(target / name) as temporary:
                    _save_image(mat, cells[name], temporary)
        return target


def _cells(mat: Any, boxes: str) -> Iterator[tuple[str, Any]]:
    """Give the file name of each image in the release, and the reference to its pixels."""
    for pair, reference in enumerate(mat[boxes][0], start=1):
        # HDF5 has MATLAB's axes in reverse order.
        for person, cells in enumerate(mat[reference][:].T, start=1):
            for cell, image in enumerate(cells, start=1):
                # An empty cell has fewer axes.
                if mat[image].ndim == 3:
                    view = 1 if cell <= _IMAGES_PER_VIEW else 2
                    yield f"{pair}_{person:03d}_{view}_{cell:02d}.png", image


def _save_images(mat: Any, cells: dict[str, Any], folder: Path) -> None:
    for name, reference in cells.items():
        _save_image(mat, reference, folder / name)


def _save_image(mat: Any, reference: Any, path: Path) -> None:
    # (H, W, 3) RGB.
    Image.fromarray(np.ascontiguousarray(mat[reference][:].T)).save(path)


def _complete_files(folder: Path) -> set[str]:
    """Give the names of the complete PNG files."""
    found = set()
    for entry in os.scandir(folder):
        if entry.name.endswith(".png") and not entry.name.startswith("."):
            with Path(entry.path).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - len(_PNG_END), 0))
                if file.read() == _PNG_END:
                    found.add(entry.name)
    return found


def _new_split(config: Path, images: Path) -> dict[str, Any]:
    """Read the split of the new protocol; training identities are renumbered from 0."""
    require_file(config, _NAME)
    try:
        table = read_mat(config, ["filelist", "labels", *(f"{split}_idx" for split in _PARTS)])
        files = [str(cell[0]) for cell in table["filelist"].ravel()]
        pids = table["labels"].ravel().astype(int)
        rows = {split: _rows(table[f"{split}_idx"], len(files)) for split in _PARTS}
        label_of = {pid: label for label, pid in enumerate(np.unique(pids[rows["train"]]))}
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{_NAME}: {config} is not a file of the new protocol ({error}); download it again."
        ) from error
    listed = {
        split: [
            (images / files[row], label_of[pids[row]] if split == "train" else pids[row])
            for row in rows[split]
        ]
        for split in rows
    }
    return _describe(listed)


def _rows(numbers: np.ndarray, count: int) -> np.ndarray:
    """Convert MATLAB's row numbers, which start from 1."""
    wrong = [number for number in numbers.ravel() if number not in range(1, count + 1)]
    if wrong:
        raise ValueError(f"it has the row {wrong[0]} of {count}")
    return numbers.ravel().astype(int) - 1


def _classic_splits(data_dir: Path, images: Path) -> list[dict[str, Any]]:
    """Read the 20 splits of the release; identities are numbered from 0 in each part."""
    images_of: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(images.glob("[!.]*.png")):
        pair, person = path.name.split("_")[:2]
        images_of.setdefault((int(pair), int(person)), []).append(path)
    with _open_release(data_dir) as mat:
        test_sets = [
            {(int(pair), int(person)) for pair, person in mat[reference][:].T}
            for reference in mat["testsets"][0]
        ]
    return [_classic_split(images_of, test_set) for test_set in test_sets]


def _classic_split(
    images_of: dict[tuple[int, int], list[Path]], test_set: set[tuple[int, int]]
) -> dict[str, Any]:
    parts: dict[str, list[list[Path]]] = {"train": [], "test": []}
    for person, paths in images_of.items():
        parts["test" if person in test_set else "train"].append(paths)
    train, test = (
        [(path, pid) for pid, paths in enumerate(parts[part]) for path in paths]
        for part in ("train", "test")
    )
    return _describe({"train": train, "query": test, "gallery": test})


def _describe(listed: Mapping[str, Iterable[tuple[Path, int]]]) -> dict[str, Any]:
    """Give a split in the form of fast-reid's JSON files; cameras are the views, from 0."""
    split: dict[str, Any] = {}
    for name, items in listed.items():
        split[name] = [
            [str(path), int(pid), int(path.name.split("_")[2]) - 1] for path, pid in items
        ]
        split[f"num_{name}_pids"] = len({pid for _, pid, _ in split[name]})
        split[f"num_{name}_imgs"] = len(split[name])
    return split


@contextmanager
def _open_release(data_dir: Path) -> Iterator[Any]:
    path = require_file(data_dir / _RELEASE, _NAME)
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{_NAME}: reading {path} needs h5py: pip install h5py. Or put the prepared images and "
            f"JSON files into {data_dir}."
        ) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{_NAME}: {path} is damaged ({error}); download it again.") from error
    with file:
        yield file
