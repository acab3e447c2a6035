"""Find the faults of a data set and describe them in sentences."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple

from fastreid.utils.messages.texts import list_some

from ..datasets import ImageDataset
from .diagnosis import diagnose, files_with_the_same_content, why_not_scored
from .image_files import FileReport

# Uses of a data set, with the splits that each reads.
USES = {"train": ("train",), "test": ("query", "gallery")}

# Fault of one file -> the same in the plural.
_PLURALS = {
    "does not exist": "do not exist",
    "is empty": "are empty",
    "is not a file": "are not files",
    "is a link that leads to itself": "are links that lead to themselves",
}


class Findings(NamedTuple):
    """Result of examining a data set for one use.

    Attributes:
        counts: split -> number of identities, images and cameras.
        faults: reasons why a run cannot use the data set.
        warnings: unexpected observations, which may make scores wrong.
        remarks: other observations.
    """

    counts: dict[str, tuple[int, int, int]]
    faults: list[str]
    warnings: list[str]
    remarks: list[str]


def examine(
    name: str,
    data: ImageDataset,
    use: str,
    *,
    check_files: Callable[[Sequence[str]], list[FileReport]],
    skips_unreadable: bool,
) -> Findings:
    """Examine the splits that a use reads.

    Args:
        name: name of the data set.
        data: the data set.
        use: the use, of `USES`.
        check_files: gives reports about image files.
        skips_unreadable: whether training replaces unreadable images (DATALOADER.ON_ERROR "skip").

    Returns:
        Faults, warnings and remarks.

    Raises:
        OSError, ValueError, ImportError: a split cannot be read.
    """
    splits = {split: getattr(data, split) for split in USES[use]}
    counts = {split: _count(items) for split, items in splits.items()}
    reports = check_files(sorted({str(path) for items in splits.values() for path, _, _ in items}))
    if use == "train":
        faults, warnings = _faults_of_training(name, data.train, reports, skips=skips_unreadable)
        remarks = _few_images(data.train)
    else:
        faults, warnings = _faults_of_test(name, data, reports)
        remarks = []
    warnings += _in_several_formats(item[0] for items in splits.values() for item in items)
    return Findings(counts, faults, warnings, [*remarks, *_unusual(reports)])


def _count(items: Sequence[tuple]) -> tuple[int, int, int]:
    return len({pid for _, pid, _ in items}), len(items), len({camid for _, _, camid in items})


def _faults_of_training(
    name: str, train: Sequence[tuple], reports: Sequence[FileReport], *, skips: bool
) -> tuple[list[str], list[str]]:
    """Give faults and warnings."""
    if not train:
        return [f"The data set {name} has no training images."], []
    broken = faults_of_files(reports)
    if not broken:
        return [], []
    if not skips:
        return [
            f"Data set {name}: {broken} Unpack it again, or have them replaced by other images of "
            "the same identities: DATALOADER.ON_ERROR skip."
        ], []
    unusable = {report.path for report in reports if report.fault}
    left = {pid for path, pid, _ in train if str(path) not in unusable}
    lost = {pid for _, pid, _ in train} - left
    if not lost:
        return [], [broken]
    return [
        f"Data set {name}: {broken} Training identities without any other image: {len(lost)} "
        f"({list_some(lost)}); their images cannot be replaced. Unpack it again, or remove them."
    ], []


def _faults_of_test(
    name: str, data: ImageDataset, reports: Sequence[FileReport]
) -> tuple[list[str], list[str]]:
    """Give faults and warnings."""
    query, gallery = data.query, data.gallery
    findings = diagnose(query, gallery, junk_pids=data.junk_pids) if query and gallery else []
    broken = faults_of_files(reports)
    faults = [why_not_scored(name, query, gallery, findings)]
    if broken:
        faults.append(
            f"Test set {name}: {broken} Unpack it again: scores without them are not comparable."
        )
    # The first fault, if there is one, includes the findings.
    return [fault for fault in faults if fault], [] if faults[0] else findings


def faults_of_files(reports: Iterable[FileReport]) -> str:
    """Describe the faults of image files, in a sentence for each kind; "" if there are none.

    Args:
        reports: reports about image files.
    """
    by_fault = defaultdict(list)
    for report in reports:
        if report.fault:
            kind, _, reason = report.fault.partition(": ")
            by_fault[kind].append(f"{report.path} ({reason})" if reason else report.path)
    return " ".join(
        f"Image files that {_PLURALS.get(kind, kind)}: {len(paths)} ({list_some(paths)})."
        for kind, paths in sorted(by_fault.items())
    )


def in_training_and_test(data: ImageDataset, *, quick: bool) -> list[str]:
    """Describe which identities and files are in training and in test.

    Args:
        data: the data set; all its splits are read.
        quick: whether to leave out the comparison of files by content.
    """
    remarks = []
    shared = data.identities_in_both()
    if shared:
        remark = f"Test identities that are training identities too: {len(shared)} "
        remark += f"({list_some(shared)})."
        if not data.trains_on_test_identities:
            remark += " Do not use this set to test a model that was trained on it."
        remarks.append(remark)
    if not quick:
        remarks += _copies_across(data)
    return remarks


def _in_several_formats(paths: Iterable[str]) -> list[str]:
    formats = defaultdict(set)
    for path in map(str, paths):
        formats[os.path.splitext(path)[0]].add(path)  # noqa: PTH122 - a hundred thousand files
    several = [" and ".join(sorted(names)) for names in formats.values() if len(names) > 1]
    if not several:
        return []
    return [
        f"Images that exist in several formats, each of which is used: {len(several)} "
        f"({list_some(several)})."
    ]


def _few_images(train: Sequence[tuple]) -> list[str]:
    images: Counter[str] = Counter()
    cameras: dict[str, set[str]] = defaultdict(set)
    for _, pid, camid in train:
        images[pid] += 1
        cameras[pid].add(camid)
    single = [pid for pid, count in images.items() if count == 1]
    one_camera = [pid for pid, seen in cameras.items() if len(seen) == 1]
    remarks = []
    if single:
        remarks.append(f"Training identities with a single image: {len(single)} of {len(images)}.")
    if one_camera and len({camid for _, _, camid in train}) > 1:
        remarks.append(
            f"Training identities seen by one camera only: {len(one_camera)} of {len(images)}."
        )
    return remarks


def _unusual(reports: Iterable[FileReport]) -> list[str]:
    kinds = Counter(kind for report in reports for kind in report.kinds)
    if not kinds:
        return []
    listed = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    return [f"Images of unusual kinds, which are converted to upright 8-bit RGB ({listed})."]


def _copies_across(data: ImageDataset) -> list[str]:
    trained = {str(path) for path, _, _ in data.train}
    tested = {str(path) for path, _, _ in [*data.query, *data.gallery]}
    copies = [
        f"{path} is {original}"
        for path, original in files_with_the_same_content(trained | tested)
        if (path in trained) != (original in trained)
    ]
    if not copies:
        return []
    return [f"Files in training and in test, under two names: {len(copies)} ({list_some(copies)})."]
