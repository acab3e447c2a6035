"""Extract the features of many images into a folder of parts."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from fastreid.utils.file_io.output_path import check_output_folder
from fastreid.utils.file_io.places import is_address
from fastreid.utils.machine import num_cores
from fastreid.utils.messages.texts import printable

from .listing import Listing
from .model import ExtractionModel
from .output_folder import OutputFolder
from .part import Part, PartResult, PartWorker, Unreadable, checked, divide
from .processes import run_in_processes
from .ray_engine import import_ray, run_on_ray

logger = logging.getLogger(__name__)

PROCESSES, RAY = "processes", "ray"
ENGINES = (PROCESSES, RAY)
# So that a part with its pixels fits into the memory of a process, and into a column of Arrow.
_LARGEST_PART = 10_000
_SECONDS_BETWEEN_LOGS = 10.0


class Distribution(NamedTuple):
    """How an extraction is distributed.

    Attributes:
        engine: "processes" of this machine, or "ray".
        num_workers: number of processes that have the model; None: one, or with Ray one a device.
        ray_address: address of a Ray cluster; "": RAY_ADDRESS, or else a Ray on this machine.
        part_size: number of images in a part.
    """

    engine: str = PROCESSES
    num_workers: int | None = None
    ray_address: str = ""
    part_size: int = 1024


class Summary(NamedTuple):
    """Result of an extraction.

    Attributes:
        listed: number of images.
        existing: number of images that had features already.
        written: number of images whose features were written.
        unreadable: number of images that cannot be read.
    """

    listed: int
    existing: int
    written: int
    unreadable: int


def extract_parts(
    images: Listing, model: ExtractionModel, output: str | Path, how: Distribution | None = None
) -> Summary:
    """Write the features of images to Parquet files, except for those that are there already.

    Every file is complete or absent at any time. Images that cannot be read are listed in
    unreadable.csv, and tried again by the next extraction.

    Args:
        images: N images.
        model: the network.
        output: folder of the files, a path or an address.
        how: how the work is distributed; None: this process does it.

    Returns:
        The numbers of images.

    Raises:
        ImportError: pyarrow or Ray is not installed.
        PartError: the folder has parts of another model.
        ExtractionError: the model cannot be run, or the folder cannot be written.
        ValueError: a number in `how` is out of range.
    """
    how = how or Distribution()
    _check(how, output)
    folder = OutputFolder(output)
    folder.remove_unfinished(own=False)
    existing = folder.finished_paths(model.info)
    missing = images.without(existing) if existing else images
    parts = divide(missing, how.part_size)
    if existing:
        skipped = len(images.paths) - len(missing.paths)
        logger.info("%d of %d images have features already", skipped, len(images.paths))
    unreadable: list[Unreadable] = []
    written = 0
    try:
        with closing(_results(parts, model, folder, how)) as results:
            for result in _logged(checked(results), len(missing.paths)):
                written += result.num_images
                unreadable += result.unreadable
        folder.write_unreadable(unreadable, set(images.paths))
    finally:
        folder.remove_unfinished(own=True)
    count = len(images.paths)
    return Summary(count, count - len(missing.paths), written, len(unreadable))


def _check(how: Distribution, output: str | Path) -> None:
    if how.engine not in ENGINES:
        raise ValueError(f"--engine is {how.engine!r}; it must be one of {', '.join(ENGINES)}.")
    if how.num_workers is not None and how.num_workers < 1:
        raise ValueError(f"--num-gpus is {how.num_workers}; it must be at least 1.")
    if not 1 <= how.part_size <= _LARGEST_PART:
        raise ValueError(f"--part-size is {how.part_size}; it must be in 1..{_LARGEST_PART}.")
    if how.ray_address and how.engine != RAY:
        raise ValueError("--ray-address needs --engine ray.")
    if how.engine == RAY:
        import_ray()
    if not is_address(str(output)):
        check_output_folder(Path(output), "--output")


def _results(
    parts: list[Part], model: ExtractionModel, folder: OutputFolder, how: Distribution
) -> Generator[PartResult, None, None]:
    if not parts:
        return
    if how.engine == RAY:
        yield from run_on_ray(
            parts, model, folder, num_workers=how.num_workers, address=how.ray_address
        )
        return
    num_processes = min(how.num_workers or 1, len(parts))
    threads = max(1, num_cores() // num_processes)
    yield from run_in_processes(parts, PartWorker(model, folder, threads=threads), num_processes)


def _logged(results: Iterator[PartResult], total: int) -> Iterator[PartResult]:
    """Pass results on, and log the progress every ten seconds."""
    start = last = time.monotonic()
    done = 0
    for result in results:
        done += result.num_images + len(result.unreadable)
        for _, reason in result.unreadable:
            logger.warning("%s It is left out.", printable(reason))
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LOGS:
            last = now
            speed = done / (now - start)
            logger.info("%d of %d images, %.1f images/s", done, total, speed)
        yield result
