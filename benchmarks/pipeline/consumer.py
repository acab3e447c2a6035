"""This project's main process alone, on images that are ready. Started by data_pipeline.py.

One worker sends images without reading or changing any. What is left is what the main process does
for every batch: receive, assemble, queue, and convert to float32.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.pipeline.contender import read_job, serve
from fastreid.data import CommDataset, ReidDataLoader, WorkerPool
from fastreid.data.samplers import TrainingSampler


class ReadyPool(WorkerPool):
    """A pool whose worker sends images at once.

    Args:
        size: height and width of the images.
    """

    def __init__(self, size: list[int]) -> None:
        super().__init__(1)
        self._size = size

    def submit(self, function: Callable, *args: Any) -> Future:
        """Have as many images sent as were asked for."""
        del function  # It would read the images.
        _, rows = args
        return super().submit(np.zeros, (len(rows), 3, *self._size), np.uint8)


def read_nothing(image: Any, rng: np.random.Generator) -> np.ndarray:
    """Take the place of a transform; no image is read, so it is not called."""
    raise NotImplementedError


def main() -> None:
    """Serve batches of the loader."""
    job = read_job()
    items_of = {
        name: [item for item in job["items"] if item[1].startswith(f"{name}_")]
        for name in job["domains"]
    }
    loader = ReidDataLoader(
        CommDataset.of_sets(items_of),
        TrainingSampler(len(job["items"])),
        batch_size=job["batch_size"],
        transforms=read_nothing,
        pool=ReadyPool(job["recipe"]["size"]),
    )
    with loader:
        serve({**job, "main_only": True}, iter(loader))


if __name__ == "__main__":
    main()
