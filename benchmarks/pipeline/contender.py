"""The common part of the three processes that data_pipeline.py measures.

A process reads one line of JSON, the job, from standard input. For every further line it takes
batches until its queues are in their steady state, times the next batches, waits until its workers
have filled the queues again, so that they do not disturb the next process, and answers with a line
of JSON. Other output goes to standard error.
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

# A process is idle if it uses less than this fraction of a core for this time.
_IDLE_FRACTION = 0.1
_REST_SECONDS = 0.4


def read_job() -> dict:
    """Read the job: items, recipe, batch_size, num_workers, num_warm, num_timed, original."""
    return json.loads(sys.stdin.readline())


def endless_batches(num_images: int, batch_size: int) -> Iterator[list[int]]:
    """Yield batches of indices of shuffled epochs; every batch is full."""
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
        job: the result of `read_job`; with "main_only", processor time and memory are those of
            this process without its workers.
        batches: an infinite iterator of mappings whose "images" are (N, 3, H, W) float32.
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
    pids = [os.getpid()] if job.get("main_only") else usage.process_tree(os.getpid())
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
    """Wait until this process and its workers are idle."""
    pids = usage.process_tree(os.getpid())
    before, now = -1.0, usage.processor_seconds(pids)
    while now - before > _IDLE_FRACTION * _REST_SECONDS:
        time.sleep(_REST_SECONDS)
        before, now = now, usage.processor_seconds(pids)


def _check(images: Any, job: dict) -> None:
    expected = (job["batch_size"], 3, *job["recipe"]["size"])
    if tuple(images.shape) != expected or "float32" not in str(images.dtype):
        raise SystemExit(f"Batches are {images.dtype} {tuple(images.shape)}, not {expected}.")
