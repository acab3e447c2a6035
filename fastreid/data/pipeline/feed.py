"""One pass of a data loader: batches made ahead in MindSpore's thread, read in the caller's."""

from __future__ import annotations

import atexit
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import NamedTuple

import numpy as np

from ..common import CommDataset
from ..data_utils import ImageError
from ..samplers.passes import Bookmark, Bookmarks, draw_from
from ..transforms import RandomPatch
from .prefetcher import Prefetcher
from .preparation import ImageTransform, prepare_images
from .shards import RowsOf
from .substitutes import Substitutes
from .workers import Caught, WorkerPool

# Batches that the workers hold.
_BATCHES_AHEAD = 2
# Small jobs give all workers a part of each batch; large ones cost less to hand over.
_IMAGES_PER_JOB = (4, 32)
_STOP_POLL_SECONDS = 0.1
# Last number of a random key: one image's augmentation, or the transform of a batch; a process
# whose part of the batch begins at a later row adds that.
_FOR_IMAGE, _FOR_BATCH = 0, 1


class BatchSpec(NamedTuple):
    """How batches are made: see ``ReidDataLoader``."""

    batch_size: int
    transforms: ImageTransform
    batch_transform: RandomPatch | None
    seed: int
    stream: int
    rows_of: RowsOf | None

    def rows(self, number: int) -> slice:
        """Tell which rows of a batch are made: all, or those of this process.

        Args:
            number: of the batch.
        """
        return slice(0, self.batch_size) if self.rows_of is None else self.rows_of(number)

    def has_rows(self, number: int) -> bool:
        """Tell whether any row of a batch is made.

        Args:
            number: of the batch.
        """
        rows = self.rows(number)
        return rows.start < rows.stop


class _Pending(NamedTuple):
    """A batch whose images are being prepared; its first row is one of the whole batch's."""

    number: int
    first_row: int
    indices: np.ndarray
    parts: list[Future]


class BatchFeed:
    """Iterator over batches as tuples of arrays, in the order of ``BATCH_COLUMNS``.

    Images are uint8, or float32 where an image of the batch is not of whole numbers.

    Args:
        dataset: paths and labels.
        sampler: gives indices; with a length, the last batch may be smaller.
        spec: how batches are made.
        pool: prepares the images.
        substitutes: for images that cannot be read; None: such an image is an error.
        start: number of the first batch; the sampler's indices before it are passed over.
        bookmark: from which the sampler draws those; None: from the first one.

    Attributes:
        bookmarks: where passes of the sampler began, as far as batches were ordered.
    """

    def __init__(
        self,
        dataset: CommDataset,
        sampler: Iterable[int],
        spec: BatchSpec,
        pool: WorkerPool,
        *,
        substitutes: Substitutes | None = None,
        start: int = 0,
        bookmark: Bookmark | None = None,
    ) -> None:
        self.bookmarks = Bookmarks(bookmark)
        self._substitutes = substitutes
        self._prepare = partial(prepare_images, keep_errors=substitutes is not None)
        self._dataset = dataset
        self._sampler = sampler
        self._spec = spec
        self._pool = pool
        self._start = start
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._prefetcher: Prefetcher | None = None

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Give the batches, and at the end the error that ended them, if one did.

        Raises:
            ImageError: an image cannot be read or transformed.
            WorkerError: a worker process died.
        """
        self._pool.start()
        self._prefetcher = Prefetcher(self._rows)
        # After MindSpore is loaded: what is registered last runs first.
        atexit.register(self.stop)
        for *columns, indices in self._prefetcher:
            paths = np.array([self._dataset.paths[index] for index in indices.tolist()])
            yield (*columns, paths)
        if self._error is not None and not self._stopped.is_set():
            raise self._error

    def stop(self) -> None:
        """End the batches, also while one is waited for, and MindSpore's threads."""
        self._stopped.set()
        if self._prefetcher is not None:
            self._prefetcher.close()
        atexit.unregister(self.stop)

    def _rows(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Make batches until stopped; an error ends them too, and is kept for the reader."""
        with Caught() as caught:
            yield from self._ordered_batches()
        self._error = caught.error

    def _ordered_batches(self) -> Iterator[tuple[np.ndarray, ...]]:
        ahead: deque[_Pending] = deque()
        # Without workers a batch is made when it is ordered: none is, ahead of time.
        most = 1 + (_BATCHES_AHEAD if self._pool.num_workers else 0)
        numbered = self._indices_of_batches()
        try:
            while not self._stopped.is_set():
                tasks = itertools.islice(numbered, most - len(ahead))
                ahead.extend(self._order(*task) for task in tasks)
                if not ahead or not self._is_ready(ahead[0]):
                    return
                yield self._assemble(ahead.popleft())
        finally:
            for pending in ahead:
                for part in pending.parts:
                    part.cancel()

    def _indices_of_batches(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Number, first row and indices of every batch of which rows are made."""
        size = self._spec.batch_size
        indices = draw_from(self._sampler, self._start * size, self.bookmarks)
        for number in itertools.count(self._start):
            batch = list(itertools.islice(indices, size))
            # There may never be another batch of which rows are made.
            if not batch or self._stopped.is_set():
                return
            if self._spec.has_rows(number):
                rows = self._spec.rows(number)
                yield number, rows.start, np.array(batch[rows])

    def _order(self, number: int, first_row: int, indices: np.ndarray) -> _Pending:
        """Hand a batch to the workers, in parts."""
        spec = self._spec
        rows = [
            self._job(index, number, row)
            for row, index in enumerate(indices.tolist(), start=first_row)
        ]
        # Without workers a job is done when it is handed over; a stop comes between small ones.
        share = -(-len(rows) // self._pool.num_workers) if self._pool.num_workers else 0
        size = min(max(share, _IMAGES_PER_JOB[0]), _IMAGES_PER_JOB[1])
        parts = [
            self._pool.submit(self._prepare, spec.transforms, rows[begin : begin + size])
            for begin in range(0, len(rows), size)
            if not self._stopped.is_set()
        ]
        return _Pending(number, first_row, indices, parts)

    def _job(self, index: int, number: int, row: int) -> tuple[str, tuple[int, ...]]:
        """Path and random key of an image for a row of a batch."""
        spec = self._spec
        place = number * spec.batch_size + row
        return self._dataset.paths[index], (spec.seed, spec.stream, place, _FOR_IMAGE)

    def _is_ready(self, pending: _Pending) -> bool:
        """Wait for a batch; False: the feed was stopped first."""
        waiting = set(pending.parts)
        while waiting and not self._stopped.is_set():
            waiting = wait(waiting, timeout=_STOP_POLL_SECONDS).not_done
        return not waiting and not self._stopped.is_set()

    def _assemble(self, pending: _Pending) -> tuple[np.ndarray, ...]:
        arrays = list(itertools.chain.from_iterable(part.result() for part in pending.parts))
        indices = pending.indices
        if self._substitutes is not None:
            indices, arrays = self._readable(pending, arrays)
        dtype = np.result_type(*{array.dtype for array in arrays})
        images = np.empty((len(arrays), *arrays[0].shape), dtype=dtype)
        for target, array in zip(images, arrays):
            target[...] = array
        if self._spec.batch_transform is not None:
            kind = _FOR_BATCH + pending.first_row
            key = (self._spec.seed, self._spec.stream, pending.number, kind)
            images = self._spec.batch_transform(images, np.random.default_rng(key))
        dataset = self._dataset
        labels = (dataset.targets, dataset.camids, dataset.domainids)
        # Indices in place of paths: MindSpore takes no text that is not UTF-8.
        return (images, *(column[indices] for column in labels), indices)

    def _readable(
        self, pending: _Pending, arrays: list[np.ndarray | ImageError]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Replace what cannot be read: indices and images of the batch."""
        chosen = [
            (index, array)
            if isinstance(array, np.ndarray)
            else self._substitute(index, array, pending.number, row)
            for row, (index, array) in enumerate(
                zip(pending.indices.tolist(), arrays), start=pending.first_row
            )
        ]
        return np.array([index for index, _ in chosen]), [array for _, array in chosen]

    def _substitute(
        self, index: int, error: ImageError, number: int, row: int
    ) -> tuple[int, np.ndarray]:
        self._substitutes.note(index, error)
        for other in self._substitutes.of(index):
            job = self._pool.submit(
                self._prepare, self._spec.transforms, [self._job(other, number, row)]
            )
            (array,) = job.result()
            if isinstance(array, np.ndarray):
                return other, array
            self._substitutes.note(other, array)
        raise ImageError(f"{error} No other image of its identity can be read.")
