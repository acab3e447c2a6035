"""Make demo data sets: four for demonstrations, and a small one in every other layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .cuhk03 import require_h5py, write_cuhk03
from .cuhk_sysu import write_reid_version, write_training_crops
from .drawing import domain
from .files import is_present, write_folder
from .market1501 import write_market1501
from .msmt17 import write_msmt17
from .other_sets import SAME_FOLDERS, TEMPLATES
from .population import Population, Sizes

# Must be increased when a change gives other pictures for the same seed.
_REVISION = 1

Writer = Callable[[Path, Population, Sizes], None]


@dataclass(frozen=True)
class _Layout:
    """A data set: the look of its pictures, and the functions that write its folders."""

    domain: domain.Domain
    writers: dict[str, Writer]


# The position of a data set is part of its seed.
_LAYOUTS = {
    "Market1501": _Layout(domain.MARKET, {"Market-1501-v15.09.15": write_market1501}),
    "MSMT17": _Layout(domain.MSMT17, {"MSMT17_V1": write_msmt17}),
    "CUHK03": _Layout(domain.CUHK03, {"cuhk03_new": write_cuhk03}),
    "cuhkSYSU": _Layout(
        domain.CUHK_SYSU,
        {"cuhk_sysu": write_training_crops, "cuhksysu4reid": write_reid_version},
    ),
}
DEMO_DATASETS = tuple(_LAYOUTS)
_LOOKS = tuple(layout.domain for layout in _LAYOUTS.values())
_LAYOUTS |= {
    name: _Layout(
        _LOOKS[number % len(_LOOKS)], {template.folder: template.write for template in templates}
    )
    for number, (name, templates) in enumerate(TEMPLATES.items())
}
# Every registered name for which there are demo data.
ALL_DATASETS = (*_LAYOUTS, *SAME_FOLDERS)
SMALL = Sizes(train_ids=10, test_ids=10, images=4)


@dataclass(frozen=True)
class Made:
    """Result for one folder.

    Attributes:
        folder: folder of demo data.
        kept: whether it existed already, with the same settings.
        sizes: numbers of persons and pictures.
    """

    folder: Path
    kept: bool
    sizes: Sizes


def make_demo_data(
    root: str | Path,
    *,
    seed: int = 0,
    sizes: Sizes | None = None,
    names: Sequence[str] = DEMO_DATASETS,
    overwrite: bool = False,
) -> list[Made]:
    """Make demo data sets, each with its own look and persons.

    With the same versions of the packages, the same arguments give the same files, byte for byte.

    Args:
        root: folder for the data sets; it is created if missing.
        seed: seed of persons, cameras and pictures, 0 or more.
        sizes: sizes of each data set; None: 60 training and 30 test persons with 8 pictures for
            ``DEMO_DATASETS``, and 10 and 10 with 4 for the others.
        names: names of the data sets, of ``ALL_DATASETS``.
        overwrite: whether existing demo data are replaced; other folders are never replaced.

    Returns:
        The result for each folder.

    Raises:
        FileExistsError: a folder exists and must not be replaced; no files are written.
        ModuleNotFoundError: CUHK03 is to be made and h5py is not installed; no files are written.
        ValueError: a name is unknown, or the seed is negative.
    """
    _check(names, seed)
    root = Path(root).expanduser()
    names = list(dict.fromkeys(SAME_FOLDERS.get(name, name) for name in names))
    sizes_of = {name: sizes or (Sizes() if name in DEMO_DATASETS else SMALL) for name in names}
    settings = {"revision": _REVISION, "seed": seed}
    settings_of = {name: {**settings, **asdict(own)} for name, own in sizes_of.items()}
    made = [
        Made(
            root / folder,
            is_present(root / folder, settings_of[name], overwrite=overwrite),
            sizes_of[name],
        )
        for name in names
        for folder in _LAYOUTS[name].writers
    ]
    if "CUHK03" in names:
        require_h5py()
    kept = {entry.folder for entry in made if entry.kept}
    for name in names:
        _make(name, root, settings_of[name], sizes=sizes_of[name], kept=kept, overwrite=overwrite)
    return made


def _make(
    name: str, root: Path, settings: dict, *, sizes: Sizes, kept: set[Path], overwrite: bool
) -> None:
    layout = _LAYOUTS[name]
    missing = {root / folder: write for folder, write in layout.writers.items()}
    missing = {folder: write for folder, write in missing.items() if folder not in kept}
    if not missing:
        return
    index = list(_LAYOUTS).index(name)
    population = Population(layout.domain, index=index, seed=settings["seed"])
    for folder, write in missing.items():
        write_folder(folder, settings, _filler(write, population, sizes), overwrite=overwrite)


def _filler(write: Writer, population: Population, sizes: Sizes) -> Callable[[Path], None]:
    return lambda folder: write(folder, population, sizes)


def _check(names: Sequence[str], seed: int) -> None:
    unknown = [name for name in names if name not in ALL_DATASETS]
    if unknown:
        raise ValueError(f"There are no demo data for {unknown[0]!r}; choose from {ALL_DATASETS}.")
    if seed < 0:
        raise ValueError(f"The seed is {seed}; it must be 0 or more.")
