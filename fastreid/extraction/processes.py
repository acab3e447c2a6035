"""Distribute parts over processes of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized

from fastreid.utils.processes import end_with_parent

from .part import ExtractionError, Part, PartResult, PartWorker

logger = logging.getLogger(__name__)

# Variables that choose the devices that a process sees.
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")


def run_in_processes(
    parts: Sequence[Part], worker: PartWorker, num_processes: int
) -> Iterator[PartResult]:
    """Compute parts in processes of this machine, each with a device of its own.

    If a process is killed, the parts that are not finished are computed by new processes.

    Args:
        parts: the parts.
        worker: computes a part.
        num_processes: number of processes; 1: this process.

    Yields:
        The result of each part, in any order.

    Raises:
        ExtractionError: processes are killed again and again.
    """
    if num_processes == 1:
        yield from map(worker, parts)
        return
    waiting = {part.name: part for part in parts}
    while waiting:
        before = len(waiting)
        try:
            for result in _run_once(list(waiting.values()), worker, num_processes):
                del waiting[result.name]
                yield result
        except BrokenProcessPool as error:
            if len(waiting) == before:
                raise ExtractionError(
                    "The processes that extract features were killed before any finished a part. "
                    "Is there enough memory? Try a smaller --num-gpus or --part-size."
                ) from error
            logger.warning("A process was killed; %d parts are computed again", len(waiting))


def _run_once(
    parts: Sequence[Part], worker: PartWorker, num_processes: int
) -> Iterator[PartResult]:
    # A forked process would have threads of libraries in an unknown state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(num_processes, len(parts)),
        mp_context=context,
        initializer=_start,
        initargs=(worker, os.getpid(), context.Value("i", 0)),
    )
    try:
        for job in as_completed([pool.submit(_work, part) for part in parts]):
            yield job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start(worker: PartWorker, parent: int, started: Synchronized[int]) -> None:
    """Prepare a new process."""
    end_with_parent(parent)
    with started.get_lock():
        index = started.value
        started.value += 1
    for name in _VISIBLE:
        devices = [device for device in os.environ.get(name, "").split(",") if device]
        os.environ[name] = devices[index % len(devices)] if devices else str(index)
    os.environ.setdefault("OMP_NUM_THREADS", str(worker.threads))
    _Process.worker = worker


class _Process:
    """What a process keeps between two parts."""

    worker: PartWorker


def _work(part: Part) -> PartResult:
    return _Process.worker(part)
