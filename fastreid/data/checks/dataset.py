"""Is a data set fit for training or for evaluation? The one check that all programs share."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Callable, NamedTuple

from fastreid.utils.messages.errors import explain

from ..datasets import ImageDataset
from ..datasets.files import MissingPartError
from ..pipeline.workers import WorkerPool
from .findings import USES, examine, faults_of_files, in_training_and_test
from .image_files import FileReport, inspect_images, stat_images

logger = logging.getLogger(__name__)

_IMAGES_PER_JOB = 64


class CheckResult(NamedTuple):
    """What a check found.

    Attributes:
        counts: split -> identities, images and cameras.
        faults: why a run refuses the data set, a sentence each: the run says the same one.
        remarks: what one should know.
        uses: what was checked, of `USES`.
    """

    counts: dict[str, tuple[int, int, int]]
    faults: list[str]
    remarks: list[str]
    uses: tuple[str, ...] = tuple(USES)


def check_dataset(
    data: ImageDataset,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    quick: bool = False,
    num_workers: int = 0,
    skips_unreadable: bool = False,
) -> CheckResult:
    """Check a data set for what it is to be used for.

    Args:
        data: the data set.
        name: that it is registered under; "" takes its ``dataset_name``.
        uses: of `USES`; none: whatever the data set has images for.
        quick: look at files from outside only, as a run does at its start, instead of reading
            every image.
        num_workers: processes that read images; 0: this one.
        skips_unreadable: DATALOADER.ON_ERROR is "skip": training replaces unreadable images.

    Returns:
        What was found. A split that cannot be read is a fault too.

    Raises:
        ValueError: a use is not known.
    """
    name = name or data.dataset_name
    unknown = [use for use in uses if use not in USES]
    if unknown:
        raise ValueError(f"A data set cannot be checked for {unknown[0]!r}, only for {list(USES)}.")
    uses, remarks = (tuple(uses), []) if uses else _uses_of(data)
    counts: dict[str, tuple[int, int, int]] = {}
    faults: list[str] = []
    with _looking(quick=quick, num_workers=num_workers) as look:
        for use in uses:
            try:
                found = examine(name, data, use, look=look, skips_unreadable=skips_unreadable)
            except (OSError, ValueError, ImportError) as error:
                faults.append(explained(error))
            else:
                counts.update(found.counts)
                faults += found.faults
                remarks += [*found.warnings, *found.remarks]
    readable = [split for use in uses for split in USES[use] if split in counts]
    remarks += [*data.count_differences(readable), *data.passed_over()]
    if all(split in counts for splits in USES.values() for split in splits):
        remarks += in_training_and_test(data, quick=quick)
    return CheckResult(counts, list(dict.fromkeys(faults)), remarks, uses)


def require_usable(
    name: str, data: ImageDataset, *, use: str, skips_unreadable: bool = False
) -> None:
    """Make the quick check at the start of a run: log what it remarks, refuse what is at fault.

    Args:
        name: of the data set.
        data: only the splits of the use are read.
        use: of `USES`.
        skips_unreadable: DATALOADER.ON_ERROR is "skip".

    Raises:
        ValueError: the sentences that `check_dataset` calls faults.
    """
    found = examine(name, data, use, look=stat_images, skips_unreadable=skips_unreadable)
    if found.faults:
        raise ValueError(" ".join(found.faults))
    kind = {"train": "Data set", "test": "Test set"}[use]
    for remark in found.remarks:
        logger.info("%s %s: %s", kind, name, remark)
    for warning in found.warnings:
        logger.warning("%s %s: %s", kind, name, warning)


def require_files(paths: Iterable[str]) -> None:
    """Look at image files from outside.

    Args:
        paths: of images.

    Raises:
        ValueError: some are missing or empty.
    """
    faults = faults_of_files(stat_images(paths))
    if faults:
        raise ValueError(f"{faults} Correct the paths, or remove what is no image.")


def explained(error: Exception) -> str:
    """Give what a run would print about an error, as a fault.

    Args:
        error: of reading a data set.

    Raises:
        Exception: the error itself, if it is a fault of the program.
    """
    told = explain(error)
    if told is None:
        raise error
    return told


def _uses_of(data: ImageDataset) -> tuple[tuple[str, ...], list[str]]:
    """What a data set has images for, all uses if it has none, and what is said about the rest."""
    uses, remarks = [], []
    for use, splits in USES.items():
        sizes, absent = [], []
        for split in splits:
            try:
                sizes.append(len(getattr(data, split)))
            except MissingPartError as error:
                absent.append(str(error))
            except (OSError, ValueError, ImportError):
                # The examination tells it.
                sizes.append(1)
        if any(sizes):
            uses.append(use)
        else:
            remarks += [f"Not checked for {use}: {reason}" for reason in absent[:1]]
    return (tuple(uses), remarks) if uses else (tuple(USES), [])


@contextmanager
def _looking(
    *, quick: bool, num_workers: int
) -> Iterator[Callable[[Sequence[str]], list[FileReport]]]:
    """Give a function that looks at files: from outside, or whole in worker processes."""
    if quick:
        yield stat_images
        return
    pool = WorkerPool(num_workers)
    pool.attach()
    try:
        yield partial(_inspect_all, pool)
    finally:
        pool.detach()


def _inspect_all(pool: WorkerPool, paths: Sequence[str]) -> list[FileReport]:
    jobs = [
        pool.submit(inspect_images, paths[start : start + _IMAGES_PER_JOB])
        for start in range(0, len(paths), _IMAGES_PER_JOB)
    ]
    return [report for job in jobs for report in job.result()]
