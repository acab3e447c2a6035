"""Is a data set whole, and is it what it says?"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .datasets import ImageDataset
from .diagnosis import diagnose, files_with_the_same_content, list_some
from .image_files import FileReport, inspect_images, link_loops, stat_images
from .workers import WorkerPool

logger = logging.getLogger(__name__)

_IMAGES_PER_JOB = 64
# Of one file -> of several.
_PLURALS = {
    "does not exist": "do not exist",
    "is empty": "are empty",
    "is no file": "are no files",
    "is a link that leads to itself": "are links that lead to themselves",
}


class CheckResult(NamedTuple):
    """What a check found.

    Attributes:
        counts: split -> identities, images and cameras.
        faults: what ends a run or spoils its scores, a sentence each.
        remarks: what one should know.
    """

    counts: dict[str, tuple[int, int, int]]
    faults: list[str]
    remarks: list[str]


def check_dataset(data: ImageDataset, *, quick: bool = False, num_workers: int = 0) -> CheckResult:
    """Check all splits of a data set.

    Args:
        data: the data set.
        quick: look at files from outside only, instead of reading every image.
        num_workers: processes that read images; 0: this one.

    Returns:
        What was found.
    """
    splits = {"train": data.train, "query": data.query, "gallery": data.gallery}
    paths = sorted({str(path) for items in splits.values() for path, _, _ in items})
    counts = {name: _count(data, items) for name, items in splits.items()}
    reports = stat_images(paths) if quick else _inspect_all(paths, num_workers)
    faults = [
        *(f"The {name} split has no images." for name, items in splits.items() if not items),
        *_faults_of_files(reports),
        *_loops(paths),
    ]
    remarks = [
        *data.count_differences(),
        *_few_images(data.train),
        *diagnose(data.query, data.gallery, junk_pids=data.junk_pids),
        *_unusual(reports),
    ]
    # Where the protocol trains on them, it is no fault of this copy.
    (remarks if data.trains_on_test_identities else faults).extend(_identities_in_both(data))
    if not quick:
        remarks += _copies_across(splits)
    return CheckResult(counts, faults, remarks)


def check_train_set(name: str, data: ImageDataset, *, skips_unreadable: bool) -> None:
    """Look at the training images from outside, at the start of a run.

    Args:
        name: of the data set.
        data: its training items are looked at.
        skips_unreadable: warn of files that are missing or empty in place of refusing them.

    Raises:
        ValueError: files are missing or empty.
    """
    for remark in _few_images(data.train):
        logger.info("Data set %s: %s", name, remark)
    faults = _faults_of_files(stat_images(str(path) for path, _, _ in data.train))
    if faults and not skips_unreadable:
        raise ValueError(
            f"Data set {name}: {' '.join(faults)} Unpack it again, or let other images of the same "
            "identities take their places with DATALOADER.ON_ERROR skip."
        )
    for fault in faults:
        logger.warning("Data set %s: %s", name, fault)


def check_test_files(name: str, data: ImageDataset) -> None:
    """Look at the test images from outside.

    Args:
        name: of the data set.
        data: its query and gallery items are looked at.

    Raises:
        ValueError: files are missing or empty.
    """
    faults = _faults_of_files(stat_images(str(path) for path, _, _ in [*data.query, *data.gallery]))
    if faults:
        raise ValueError(
            f"Test set {name}: {' '.join(faults)} Unpack it again: a score without them could not "
            "be compared."
        )


def _count(data: ImageDataset, items: Sequence[tuple]) -> tuple[int, int, int]:
    identities, cameras = data.parse_data(items)
    return identities, len(items), cameras


def _inspect_all(paths: Sequence[str], num_workers: int) -> list[FileReport]:
    pool = WorkerPool(num_workers)
    pool.attach()
    try:
        jobs = [
            pool.submit(inspect_images, paths[start : start + _IMAGES_PER_JOB])
            for start in range(0, len(paths), _IMAGES_PER_JOB)
        ]
        return [report for job in jobs for report in job.result()]
    finally:
        pool.detach()


def _faults_of_files(reports: Iterable[FileReport]) -> list[str]:
    by_fault = defaultdict(list)
    for report in reports:
        if report.fault:
            kind, _, reason = report.fault.partition(": ")
            by_fault[kind].append(f"{report.path} ({reason})" if reason else report.path)
    return [
        f"Image files that {_PLURALS.get(kind, kind)}: {len(paths)} ({list_some(paths)})."
        for kind, paths in sorted(by_fault.items())
    ]


def _loops(paths: Iterable[str]) -> list[str]:
    loops = link_loops(paths)
    if not loops:
        return []
    return [f"Links that lead back to a folder above them: {len(loops)} ({list_some(loops)})."]


def _identities_in_both(data: ImageDataset) -> list[str]:
    shared = data.identities_in_both()
    if not shared:
        return []
    return [
        f"Test identities that are training identities too: {len(shared)} ({list_some(shared)}). "
        "Do not test on this set what was trained on it."
    ]


def _few_images(train: Sequence[tuple]) -> list[str]:
    images, cameras = Counter(), defaultdict(set)
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
    told = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    return [f"Images of unusual kinds, which become upright 8-bit RGB ({told})."]


def _copies_across(splits: dict[str, Sequence[tuple]]) -> list[str]:
    trained = {str(path) for path, _, _ in splits["train"]}
    tested = {str(path) for name in ("query", "gallery") for path, _, _ in splits[name]}
    copies = [
        f"{path} is {original}"
        for path, original in files_with_the_same_content(trained | tested)
        if (path in trained) != (original in trained)
    ]
    if not copies:
        return []
    return [f"Files in training and in test, under two names: {len(copies)} ({list_some(copies)})."]
