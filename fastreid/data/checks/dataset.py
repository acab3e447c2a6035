"""Check whether a data set can be used for training or for testing; shared by all programs."""

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
    """Result of a check.

    Attributes:
        counts: split -> number of identities, images and cameras.
        faults: reasons why a run cannot use the data set, one sentence each; a run stops with the
            same sentences.
        remarks: other observations, one sentence each.
        uses: uses that were checked, of `USES`.
        published: published counts and their source; "" if there are none.
    """

    counts: dict[str, tuple[int, int, int]]
    faults: list[str]
    remarks: list[str]
    uses: tuple[str, ...] = tuple(USES)
    published: str = ""


def check_dataset(
    data: ImageDataset,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    quick: bool = False,
    num_workers: int = 0,
    skips_unreadable: bool = False,
) -> CheckResult:
    """Check a data set for one or several uses.

    Args:
        data: the data set.
        name: registered name; "" takes its ``dataset_name``.
        uses: uses to check, of `USES`; empty: all uses for which the data set has images.
        quick: whether to check only that files exist and are not empty, as a run does at its start,
            instead of reading all images.
        num_workers: number of processes that read images; 0: this process.
        skips_unreadable: whether training replaces unreadable images (DATALOADER.ON_ERROR "skip").

    Returns:
        Result of the check. A split that cannot be read is a fault.

    Raises:
        ValueError: a use is unknown.
    """
    name = name or data.dataset_name
    unknown = [use for use in uses if use not in USES]
    if unknown:
        raise ValueError(f"A data set cannot be checked for {unknown[0]!r}, only for {list(USES)}.")
    uses, remarks = (tuple(uses), []) if uses else _uses_of(data)
    counts: dict[str, tuple[int, int, int]] = {}
    faults: list[str] = []
    with _file_check(quick=quick, num_workers=num_workers) as check_files:
        for use in uses:
            try:
                found = examine(
                    name, data, use, check_files=check_files, skips_unreadable=skips_unreadable
                )
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
    faults = list(dict.fromkeys(faults))
    return CheckResult(counts, faults, remarks, uses, data.describe_published(readable))


def require_usable(
    name: str, data: ImageDataset, *, use: str, skips_unreadable: bool = False
) -> None:
    """Check a data set quickly at the start of a run, and log the remarks.

    Args:
        name: name of the data set.
        data: the data set; only the splits of the use are read.
        use: the use, of `USES`.
        skips_unreadable: whether training replaces unreadable images (DATALOADER.ON_ERROR "skip").

    Raises:
        ValueError: the data set has faults; the message is the ``faults`` of `check_dataset`.
    """
    found = examine(name, data, use, check_files=stat_images, skips_unreadable=skips_unreadable)
    if found.faults:
        raise ValueError(" ".join(found.faults))
    kind = {"train": "Data set", "test": "Test set"}[use]
    for remark in found.remarks:
        logger.info("%s %s: %s", kind, name, remark)
    for warning in found.warnings:
        logger.warning("%s %s: %s", kind, name, warning)


def require_files(paths: Iterable[str]) -> None:
    """Check that image files exist and are not empty, without reading them.

    Args:
        paths: paths of the image files.

    Raises:
        ValueError: files are missing or empty.
    """
    faults = faults_of_files(stat_images(paths))
    if faults:
        raise ValueError(f"{faults} Correct the paths, or remove the entries of these files.")


def explained(error: Exception) -> str:
    """Give the line that a run would print about an error.

    Args:
        error: error from reading a data set.

    Raises:
        Exception: the error itself, if it is a bug of the program.
    """
    explanation = explain(error)
    if explanation is None:
        raise error
    return explanation


def _uses_of(data: ImageDataset) -> tuple[tuple[str, ...], list[str]]:
    """Uses for which a data set has images (all if it has none), and remarks about the others."""
    uses, remarks = [], []
    for use, splits in USES.items():
        sizes, absent = [], []
        for split in splits:
            try:
                sizes.append(len(getattr(data, split)))
            except MissingPartError as error:
                absent.append(str(error))
            except (OSError, ValueError, ImportError):
                # `examine` reports the error.
                sizes.append(1)
        if any(sizes):
            uses.append(use)
        else:
            remarks += [f"Not checked for {use}: {reason}" for reason in absent[:1]]
    return (tuple(uses), remarks) if uses else (tuple(USES), [])


@contextmanager
def _file_check(
    *, quick: bool, num_workers: int
) -> Iterator[Callable[[Sequence[str]], list[FileReport]]]:
    """Give a function that checks files: quickly, or by reading them in worker processes."""
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
