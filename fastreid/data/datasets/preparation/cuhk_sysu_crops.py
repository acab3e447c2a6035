"""Crop the persons of CUHK-SYSU from the frames of the person search release."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...data_utils import ImageError
from ..counts import Counts
from ..cuhk_sysu import cuhkSYSU
from .mat_file import read_mat

logger = logging.getLogger(__name__)

_FRAMES = "Image/SSM"
_PERSONS = "annotation/Person.mat"
_TRAIN = "annotation/test/train_test/Train.mat"
_TEST = "annotation/test/train_test/TestG50.mat"
_CROPS = "cuhk_sysu/cropped_images"
_REID = "cuhksysu4reid"
_JPEG_QUALITY = 95


class Appearance(NamedTuple):
    """A person in a frame.

    Attributes:
        frame: file name of the frame, e.g. s123.jpg.
        box: left, top, width and height in pixels.
        pid: identity.
        is_hard: 1 if annotated as hard (bad light, low resolution or occlusion), else 0.
    """

    frame: str
    box: tuple[int, int, int, int]
    pid: int
    is_hard: int


class Summary(NamedTuple):
    """Result of cropping.

    Attributes:
        counts: number of identities and images, by folder.
        skipped: names of crops that would have no pixel inside their frame.
    """

    counts: Mapping[str, Counts]
    skipped: Sequence[str]


def crop_release(release: str | Path, root: str | Path) -> Summary:
    """Make cuhk_sysu/cropped_images and cuhksysu4reid/{train,query,gallery}.

    cropped_images contains all persons of Person.mat, as p<pid>_s<frame>_<n>.jpg. The re-ID version
    contains those of Train.mat and the queries and matches of the protocol TestG50, as
    <pid>_s<frame>_<n>_<hard>.jpg. The folders get their names only when both are complete.

    Args:
        release: folder that contains Image/SSM and annotation.
        root: folder that holds the data sets.

    Returns:
        The counts; differences from the published ones are logged as warnings.

    Raises:
        FileExistsError: an output folder exists already.
        FileNotFoundError: a part of the release is missing.
        ImageError: a frame cannot be read; the message names it.
        ValueError: an annotation file is not as expected.
    """
    release, root = Path(release).expanduser(), Path(root).expanduser()
    targets = [root / _CROPS, root / _REID]
    for target in targets:
        if target.exists():
            raise FileExistsError(f"{target} exists. Move or remove it to crop again.")
    files = {**_name_crops(release), **_name_reid_version(release)}
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cuhk_sysu-", dir=root) as work:
        skipped = _cut(release, Path(work), files)
        for target in targets:
            target.parent.mkdir(exist_ok=True)
            try:
                (Path(work) / target.relative_to(root)).rename(target)
            except OSError as error:
                if not target.exists():
                    raise
                raise FileExistsError(
                    f"{target} appeared in the meantime: another process makes the same crops. "
                    "Use its crops, or remove them and start again."
                ) from error
    summary = Summary(_count(files, skipped), skipped)
    _compare_with_published(summary)
    return summary


def _name_crops(release: Path) -> dict[str, Appearance]:
    files = {}
    for entry in _entries(release / _PERSONS, "Person"):
        for number, found in enumerate(_scenes(entry, release / _PERSONS), start=1):
            files[f"{_CROPS}/p{found.pid}_{Path(found.frame).stem}_{number}.jpg"] = found
    return files


def _name_reid_version(release: Path) -> dict[str, Appearance]:
    splits: dict[str, list[Appearance]] = {"train": [], "query": [], "gallery": []}
    for entry in _entries(release / _TRAIN, "Train"):
        splits["train"] += _scenes(entry, release / _TRAIN)
    for entry in _entries(release / _TEST, "TestG50"):
        query = _field(entry, "Query", release / _TEST)
        pid = _pid_of(query, release / _TEST)
        splits["query"].append(_appearance(query, pid, release / _TEST))
        for scene in _as_list(_field(entry, "Gallery", release / _TEST)):
            # Gallery frames that do not show the person have no box.
            if np.size(_field(scene, "idlocate", release / _TEST)):
                splits["gallery"].append(_appearance(scene, pid, release / _TEST))
    return {
        f"{_REID}/{split}/{found.pid:05d}_{Path(found.frame).stem}_{number:07d}"
        f"_{found.is_hard}.jpg": found
        for split, appearances in splits.items()
        for number, found in enumerate(appearances)
    }


def _entries(path: Path, variable: str) -> list[Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"cuhkSYSU: the annotation {path} is missing. The release has the folders Image/SSM "
            "and annotation."
        )
    try:
        content = read_mat(path, [variable], simplify_cells=True)
    except ValueError as error:
        raise ValueError(f"cuhkSYSU: {path} is not a readable .mat file: {error}.") from error
    return _as_list(_field(content, variable, path))


def _scenes(entry: Mapping[str, Any], path: Path) -> list[Appearance]:
    pid = _pid_of(entry, path)
    return [_appearance(scene, pid, path) for scene in _as_list(_field(entry, "scene", path))]


def _appearance(scene: Mapping[str, Any], pid: int, path: Path) -> Appearance:
    box = np.ravel(_field(scene, "idlocate", path))
    if box.size != 4:
        raise ValueError(f"cuhkSYSU: {path} has the box {box} for person {pid}, not 4 numbers.")
    left, top, width, height = (int(value) for value in box)
    frame = str(_field(scene, "imname", path))
    return Appearance(frame, (left, top, width, height), pid, int(_field(scene, "ishard", path)))


def _pid_of(entry: Mapping[str, Any], path: Path) -> int:
    name = str(_field(entry, "idname", path))
    if not (name.startswith("p") and name[1:].isdecimal()):
        raise ValueError(f'cuhkSYSU: {path} has the person {name!r}; names are like "p123".')
    return int(name[1:])


def _field(entry: Any, name: str, path: Path) -> Any:
    if not isinstance(entry, Mapping) or name not in entry:
        raise ValueError(f"cuhkSYSU: {path} has no field {name!r}.")
    return entry[name]


def _as_list(value: Any) -> list[Any]:
    """Make a list; MATLAB stores an array of one struct as that struct."""
    return [value] if isinstance(value, Mapping) else list(value)


def _cut(release: Path, work: Path, files: Mapping[str, Appearance]) -> list[str]:
    """Write all crops under ``work``, frame by frame; return the names of empty ones."""
    by_frame = defaultdict(list)
    for name, found in files.items():
        by_frame[found.frame].append((name, found.box))
    for folder in sorted({Path(name).parent for name in files}):
        (work / folder).mkdir(parents=True)
    skipped = []
    for frame in sorted(by_frame):
        image = _read_frame(release / _FRAMES / frame)
        for name, box in by_frame[frame]:
            corners = _clip(box, image.size)
            if corners is None:
                skipped.append(name)
            else:
                image.crop(corners).save(work / name, quality=_JPEG_QUALITY)
    return skipped


def _read_frame(path: Path) -> Image.Image:
    # Boxes refer to the stored pixels, so the EXIF orientation must not be applied.
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise ImageError(f"Frame {path} does not exist. Is the release complete?") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"Frame {path} cannot be read: {error}. Replace it.") from error


def _clip(
    box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Give the corners of the part of a box that is inside the frame; None if it is empty."""
    left, top, width, height = box
    right, bottom = min(left + width, size[0]), min(top + height, size[1])
    left, top = max(left, 0), max(top, 0)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _count(files: Mapping[str, Appearance], skipped: Sequence[str]) -> dict[str, Counts]:
    written = {name: found for name, found in files.items() if name not in set(skipped)}
    images = Counter(str(Path(name).parent) for name in written)
    ids = {(str(Path(name).parent), found.pid) for name, found in written.items()}
    persons = Counter(folder for folder, _ in ids)
    return {folder: Counts(persons[folder], images[folder]) for folder in images}


def _compare_with_published(summary: Summary) -> None:
    for split, published in cuhkSYSU.published.items():
        folder = cuhkSYSU.splits[split]
        found = summary.counts.get(folder, Counts(0, 0))
        if found != published:
            logger.warning(
                "cuhkSYSU: %s has %d identities and %d images; the published set has %d and %d.",
                folder,
                *found,
                *published,
            )
