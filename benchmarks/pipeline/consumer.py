"""This project's main process alone, on images that are ready. Started by data_pipeline.py.

One worker sends images without reading or changing any. What is left is what the main process does
for every batch: receive, assemble, queue, and convert to float32.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.pipeline.contender import read_job, serve
from fastreid.data import CommDataset, ReidDataLoader, WorkerPool
from fastreid.data.samplers import TrainingSampler


def ready_images(size: list[int], count: int) -> list[np.ndarray]:
    """Make images without any work.

    Args:
        size: height and width.
        count: number of images.

    Returns:
        Arrays of (3, H, W) uint8.
    """
    return [np.zeros((3, *size), np.uint8)] * count


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
        _, rows = args
        return super().submit(np.split, np.zeros((len(rows), 3, *self._size), np.uint8), len(rows))


def main() -> None:
    """Serve batches of the loader."""
    job = read_job()
    items_of = {name: [i for i in job["items"] if i[1].startswith(f"{name}_")] for name in job["domains"]}
    loader = ReidDataLoader(
        CommDataset.of_sets(items_of),
        TrainingSampler(len(job["items"])),
        batch_size=job["batch_size"],
        transforms=np.asarray,
        pool=ReadyPool(job["recipe"]["size"]),
    )
    with loader:
        if '--direct' in sys.argv:
            it=iter(loader)
            for _ in range(20): next(it)
            for _ in range(3):
                s=time.perf_counter(); c=time.process_time()
                for _ in range(200): next(it)
                n=200*job["batch_size"]
                print('wall %.0f cpu-main %.0f images/s'%(n/(time.perf_counter()-s), n/(time.process_time()-c)))
            return
        serve(job, iter(loader))


if __name__ == "__main__":
    main()
