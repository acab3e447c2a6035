"""CUHK03's images and lists of splits, out of its .mat files."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .files import require_file

logger = logging.getLogger(__name__)

_NAME = "CUHK03"
_RELEASE = "cuhk03_release/cuhk-03.mat"
# Of the ten cells of a person, the first five are of the first camera of the pair.
_IMAGES_PER_VIEW = 5


def prepare_split(data_dir: Path, *, boxes: str, protocol: str) -> None:
    """Make ``images_<boxes>`` and ``splits_<protocol>_<boxes>.json`` where they are missing.

    Each appears under its name when it is complete, so that a run that was interrupted leaves
    nothing behind that the next one would trust.

    Args:
        data_dir: ``cuhk03_new``, with ``cuhk03_release/cuhk-03.mat`` and, for the new protocol,
            ``cuhk03_new_protocol_config_<boxes>.mat``.
        boxes: "labeled" or "detected".
        protocol: "new" or "classic".

    Raises:
        FileNotFoundError: a .mat file is missing.
        ModuleNotFoundError: h5py, which reads cuhk-03.mat, is not installed.
        ValueError: a .mat file is damaged.
    """
    images = data_dir / f"images_{boxes}"
    if not images.is_dir():
        _extract_images(data_dir, boxes, images)
    if protocol == "new":
        splits = [_new_split(data_dir / f"cuhk03_new_protocol_config_{boxes}.mat", images)]
    else:
        splits = _classic_splits(data_dir, images)
    target = data_dir / f"splits_{protocol}_{boxes}.json"
    with _replacing(target) as temporary:
        temporary.write_text(json.dumps(splits, indent=4), encoding="utf-8")
    logger.info("Wrote %s", target)


def _extract_images(data_dir: Path, boxes: str, folder: Path) -> None:
    with _open_release(data_dir) as mat, _replacing(folder) as temporary:
        temporary.mkdir()
        logger.info("Extracting the %s images of %s; this is done once", boxes, mat.filename)
        for pair, reference in enumerate(mat[boxes][0], start=1):
            # HDF5 sees MATLAB's axes in reverse order.
            for person, cells in enumerate(mat[reference][:].T, start=1):
                for cell, image_reference in enumerate(cells, start=1):
                    _save_image(mat[image_reference][:].T, temporary, (pair, person, cell))


def _save_image(image: np.ndarray, folder: Path, place: tuple[int, int, int]) -> None:
    """Write one cell, (H, W, 3) RGB; an empty one has fewer axes."""
    if image.ndim != 3:
        return
    pair, person, cell = place
    view = 1 if cell <= _IMAGES_PER_VIEW else 2
    path = folder / f"{pair}_{person:03d}_{view}_{cell:02d}.png"
    Image.fromarray(np.ascontiguousarray(image)).save(path)


def _new_split(config: Path, images: Path) -> dict[str, Any]:
    """The split of the new protocol; training identities are numbered anew, from 0."""
    # Data workers import this package and need no SciPy.
    from scipy import io

    require_file(config, _NAME)
    try:
        table = io.loadmat(config)
        files = [str(cell[0]) for cell in table["filelist"].ravel()]
        pids = table["labels"].ravel().astype(int)
        rows = {
            split: table[f"{split}_idx"].ravel().astype(int) - 1
            for split in ("train", "query", "gallery")
        }
    except (LookupError, ValueError, NotImplementedError, io.matlab.MatReadError) as error:
        raise ValueError(
            f"{_NAME}: {config} is not a file of the new protocol ({error}); get it again."
        ) from error
    label_of = {pid: label for label, pid in enumerate(np.unique(pids[rows["train"]]))}
    listed = {
        split: [
            (images / files[row], label_of[pids[row]] if split == "train" else pids[row])
            for row in rows[split]
        ]
        for split in rows
    }
    return _describe(listed)


def _classic_splits(data_dir: Path, images: Path) -> list[dict[str, Any]]:
    """The 20 splits of the release; identities are numbered from 0 in each part."""
    images_of: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(images.glob("*.png")):
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


def _describe(listed: dict[str, Iterable[tuple[Path, int]]]) -> dict[str, Any]:
    """What fast-reid keeps of a split: items and counts. Cameras are the views, from 0."""
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
        raise ValueError(f"{_NAME}: {path} is damaged ({error}); get it again.") from error
    with file:
        yield file


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary name beside a file or folder; at the end it becomes the target."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
