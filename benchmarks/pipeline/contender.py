"""What the three contenders of data_pipeline.py have in common: each is a process that waits.

A contender reads one line of JSON, the job, from standard input. Whenever a further line comes, it
takes batches until its queues are in their steady state, times the next ones, lets its workers fill
the queues again, so that they do not disturb the next contender, and answers with a line of JSON.
What it prints itself goes to standard error.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.pipeline import usage

# Idle is who uses less than this share of one core for so long.
_IDLE_SHARE = 0.1
_REST_SECONDS = 0.4


def read_job() -> dict:
    """The job: items, recipe, batch_size, num_workers, num_warm, num_timed, original."""
    return json.loads(sys.stdin.readline())


def endless_batches(num_images: int, batch_size: int) -> Iterator[list[int]]:
    """Indices of shuffled passes over all images, in full batches."""
    rng = random.Random(0)
    rest: list[int] = []
    while True:
        while len(rest) < batch_size:
            rest += rng.sample(range(num_images), num_images)
        yield rest[:batch_size]
        rest = rest[batch_size:]


def serve(job: dict, batches: Iterator) -> None:
    """Answer each line of standard input with a measurement, until it is closed.

    Args:
        job: of `read_job`.
        batches: endless; each a mapping whose "images" are (N, 3, H, W) float32.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for _ in sys.stdin:
        measured = _measure(job, batches)
        _rest()
        print(json.dumps(measured), file=answers, flush=True)


def _measure(job: dict, batches: Iterator) -> dict:
    for _ in range(job["num_warm"]):
        batch = next(batches)
    _check(batch["images"], job)
    pids = usage.process_tree(os.getpid())
    processor = usage.processor_seconds(pids)
    wall = time.perf_counter()
    for _ in range(job["num_timed"]):
        batch = next(batches)
    return {
        "images": job["num_timed"] * job["batch_size"],
        "wall": time.perf_counter() - wall,
        "processor": usage.processor_seconds(pids) - processor,
        "memory": usage.memory_mb(pids),
    }


def _rest() -> None:
    """Wait until neither this process nor a worker has anything to do."""
    pids = usage.process_tree(os.getpid())
    before, now = -1.0, usage.processor_seconds(pids)
    while now - before > _IDLE_SHARE * _REST_SECONDS:
        time.sleep(_REST_SECONDS)
        before, now = now, usage.processor_seconds(pids)


def _check(images: Any, job: dict) -> None:
    expected = (job["batch_size"], 3, *job["recipe"]["size"])
    if tuple(images.shape) != expected or "float32" not in str(images.dtype):
        raise SystemExit(f"Batches are {images.dtype} {tuple(images.shape)}, not {expected}.")
