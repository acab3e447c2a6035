"""Rows that are made in a thread of MindSpore's GeneratorDataset and read in the caller's."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import numpy as np

from ..common import BATCH_COLUMNS

Row = tuple[np.ndarray, ...]

# Finished batches in MindSpore's queue.
_BATCHES_QUEUED = 1
# A reader that waits looks this often whether it was closed.
_POLL_SECONDS = 0.5


class Prefetcher:
    """Iterator over the rows of a generator, which runs in a thread of MindSpore.

    The reader waits for a row in Python and asks MindSpore only for one that is there. A wait
    inside MindSpore cannot be broken off: Ctrl-C would have no effect until the next row comes.

    Args:
        rows: called once; gives tuples of arrays in the order of ``BATCH_COLUMNS``, of numbers:
            MindSpore takes no text that is not UTF-8. It must end soon after `close`.
    """

    def __init__(self, rows: Callable[[], Iterator[Row]]) -> None:
        self._rows = rows
        # Counts the rows that MindSpore was given, and the end.
        self._given = threading.Semaphore(0)
        self._closed = threading.Event()
        self._batches = _generator_dataset(self._noted_rows)

    def __iter__(self) -> Iterator[Row]:
        """Give the rows until they end or this is closed."""
        try:
            # MindSpore starts its threads when it is asked for the first time.
            next(self._batches)
            while self._wait():
                row = next(self._batches, None)
                if row is None:
                    return
                yield row
        finally:
            self.close()

    def close(self) -> None:
        """End MindSpore's threads, and wait for them. May be called again."""
        if not self._closed.is_set():
            self._closed.set()
            self._batches.stop()

    def _wait(self) -> bool:
        """Wait for the next row, or the end; False: closed first."""
        while not self._closed.is_set():
            if self._given.acquire(timeout=_POLL_SECONDS):
                return not self._closed.is_set()
        return False

    def _noted_rows(self) -> Iterator[Row]:
        yield tuple(np.zeros(1) for _ in BATCH_COLUMNS)
        try:
            for row in self._rows():
                if self._closed.is_set():
                    return
                self._given.release()
                yield row
        finally:
            self._given.release()


def _generator_dataset(rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    # Imported here because data workers import this package and must not load MindSpore.
    from mindspore import dataset

    # MindSpore copies its source deeply: a function is not copied, a bound method's object is.
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
def _queue_size(config, size: int) -> Iterator[None]:
    before = config.get_prefetch_size()
    config.set_prefetch_size(size)
    try:
        yield
    finally:
        config.set_prefetch_size(before)
