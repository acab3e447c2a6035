"""Prefetching: a generator runs ahead in a thread of MindSpore's GeneratorDataset."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..common import BATCH_COLUMNS

Row = tuple[np.ndarray, ...]

# Length of MindSpore's queue of finished batches.
_BATCHES_QUEUED = 1
# How often a waiting reader checks whether the prefetcher was closed.
_POLL_SECONDS = 0.5


class Prefetcher:
    """Iterator over the rows of a generator that runs in a thread of MindSpore.

    The reader waits for a row in Python, and calls MindSpore only when a row is ready. A wait
    inside MindSpore cannot be interrupted: Ctrl-C would have no effect until the next row comes.

    Args:
        rows: called once; gives tuples of numeric arrays in the order of ``BATCH_COLUMNS``
            (MindSpore rejects strings that are not UTF-8). It must end soon after `close`.
    """

    def __init__(self, rows: Callable[[], Iterator[Row]]) -> None:
        self._rows = rows
        # Counts the rows that are ready, and the end of the rows.
        self._ready = threading.Semaphore(0)
        self._closed = threading.Event()
        self._batches = _generator_dataset(self._counted_rows)

    def __iter__(self) -> Iterator[Row]:
        """Give the rows until they end or the prefetcher is closed."""
        try:
            # MindSpore starts its threads at the first request, for which there is a dummy row.
            next(self._batches)
            while self._wait():
                row = next(self._batches, None)
                if row is None:
                    return
                yield row
        finally:
            self.close()

    def close(self) -> None:
        """End MindSpore's threads, and wait for them. Further calls have no effect."""
        if not self._closed.is_set():
            self._closed.set()
            self._batches.stop()

    def _wait(self) -> bool:
        """Wait for the next row or the end; False if the prefetcher was closed first."""
        while not self._closed.is_set():
            if self._ready.acquire(timeout=_POLL_SECONDS):
                return not self._closed.is_set()
        return False

    def _counted_rows(self) -> Iterator[Row]:
        yield tuple(np.zeros(1) for _ in BATCH_COLUMNS)
        try:
            for row in self._rows():
                if self._closed.is_set():
                    return
                self._ready.release()
                yield row
        finally:
            self._ready.release()


def _generator_dataset(rows: Callable[[], Iterator[Row]]) -> Any:
    # Imported here: data workers import this package and must not load MindSpore.
    from mindspore import dataset

    # MindSpore makes a deep copy of its source; unlike a bound method's object, a function is not
    # copied.
    def source() -> Iterator[Row]:
        return rows()

    with _queue_size(dataset.config, _BATCHES_QUEUED):
        return dataset.GeneratorDataset(
            source,
            list(BATCH_COLUMNS),
            shuffle=False,
            num_parallel_workers=1,
            python_multiprocessing=False,
        ).create_tuple_iterator(num_epochs=1, output_numpy=True)


@contextlib.contextmanager
def _queue_size(config: Any, size: int) -> Iterator[None]:
    before = config.get_prefetch_size()
    config.set_prefetch_size(size)
    try:
        yield
    finally:
        config.set_prefetch_size(before)
