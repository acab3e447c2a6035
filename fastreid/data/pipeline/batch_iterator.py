"""One iteration over a data loader: draws indices, has images prepared, assembles batches.

The batches are made ahead in a thread of MindSpore (see `prefetcher`) and read in the caller's.
"""

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
from ..samplers.state import SamplerState, StateHistory, draw_from
from ..transforms import RandomPatch
from .prefetcher import Prefetcher
from .preparation import ImageTransform, prepare_images
from .replacements import ImageReplacements
from .shards import ShardRows
from .workers import Caught, WorkerPool

# Batches whose images the workers prepare at the same time.
_BATCHES_AHEAD = 2
# Smallest and largest job: small jobs divide a batch among all workers, large jobs cost less to
# send.
_IMAGES_PER_JOB = (4, 32)
_STOP_POLL_SECONDS = 0.1
# Last number of a random key: 0 for the augmentation of an image, 1 plus the first row of the shard
# for the transform of a batch.
_FOR_IMAGE, _FOR_BATCH = 0, 1


class BatchSpec(NamedTuple):
    """How batches are made; the fields are arguments of ``ReidDataLoader``."""

    batch_size: int
    transforms: ImageTransform
    batch_transform: RandomPatch | None
    seed: int
    stream: int
    shard_rows: ShardRows | None

    def rows(self, number: int) -> slice:
        """Give the rows of a batch that this process makes.

        Args:
            number: number of the batch.
        """
        return slice(0, self.batch_size) if self.shard_rows is None else self.shard_rows(number)

    def has_rows(self, number: int) -> bool:
        """Tell whether this process makes any row of a batch.

        Args:
            number: number of the batch.
        """
        rows = self.rows(number)
        return rows.start < rows.stop


class _Pending(NamedTuple):
    """A batch whose images are being prepared.

    Attributes:
        number: number of the batch.
        first_row: first row of the shard, counted in the whole batch.
        indices: (N,) indices of the images.
        parts: results of the jobs, in the order of the images.
    """

    number: int
    first_row: int
    indices: np.ndarray
    parts: list[Future]


class BatchIterator:
    """Iterator over batches as tuples of arrays, in the order of ``BATCH_COLUMNS``.

    Images are uint8; they are float32 if an image of the batch has values that are not integers.

    Args:
        dataset: paths and labels.
        sampler: gives indices; if it has a length, the last batch may be smaller.
        spec: how batches are made.
        pool: worker processes that prepare the images.
        replacements: replaces unreadable images; None: an unreadable image is an error.
        start: number of the first batch; the indices of the batches before it are skipped.
        sampler_state: state from which the sampler draws the skipped indices; None: its beginning.

    Attributes:
        history: states of the sampler, up to the last batch whose indices were drawn.
    """

    def __init__(
        self,
        dataset: CommDataset,
        sampler: Iterable[int],
        spec: BatchSpec,
        pool: WorkerPool,
        *,
        replacements: ImageReplacements | None = None,
        start: int = 0,
        sampler_state: SamplerState | None = None,
    ) -> None:
        self.history = StateHistory(sampler_state)
        self._replacements = replacements
        self._prepare = partial(prepare_images, keep_errors=replacements is not None)
        self._dataset = dataset
        self._sampler = sampler
        self._spec = spec
        self._pool = pool
        self._start = start
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._prefetcher: Prefetcher | None = None

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Give the batches, then raise the error that ended them, if there was one.

        Raises:
            ImageError: an image cannot be read or transformed.
            WorkerError: a worker process died.
        """
        self._pool.start()
        self._prefetcher = Prefetcher(self._make_batches)
        # Registered after MindSpore is loaded, so that it runs before MindSpore's own handlers.
        atexit.register(self.stop)
        for *columns, indices in self._prefetcher:
            paths = np.array([self._dataset.paths[index] for index in indices.tolist()])
            yield (*columns, paths)
        if self._error is not None and not self._stopped.is_set():
            raise self._error

    def stop(self) -> None:
        """End the iteration and MindSpore's threads, also while a batch is waited for."""
        self._stopped.set()
        if self._prefetcher is not None:
            self._prefetcher.close()
        atexit.unregister(self.stop)

    def _make_batches(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Make batches until stopped; an error ends them and is raised later by the reader."""
        with Caught() as caught:
            yield from self._batches_in_order()
        self._error = caught.error

    def _batches_in_order(self) -> Iterator[tuple[np.ndarray, ...]]:
        pending: deque[_Pending] = deque()
        # Without workers, submitting a batch prepares it at once, so one is submitted at a time.
        limit = 1 + (_BATCHES_AHEAD if self._pool.num_workers else 0)
        numbered = self._indices_of_batches()
        try:
            while not self._stopped.is_set():
                tasks = itertools.islice(numbered, limit - len(pending))
                pending.extend(self._submit(*task) for task in tasks)
                if not pending or not self._wait_for(pending[0]):
                    return
                yield self._assemble(pending.popleft())
        finally:
            for batch in pending:
                for part in batch.parts:
                    part.cancel()

    def _indices_of_batches(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Give number, first row and indices of each batch of which this process makes rows."""
        size = self._spec.batch_size
        indices = draw_from(self._sampler, self._start * size, self.history)
        for number in itertools.count(self._start):
            batch = list(itertools.islice(indices, size))
            # The check for a stop is needed: this shard may have no rows in any later batch.
            if not batch or self._stopped.is_set():
                return
            if self._spec.has_rows(number):
                rows = self._spec.rows(number)
                yield number, rows.start, np.array(batch[rows])

    def _submit(self, number: int, first_row: int, indices: np.ndarray) -> _Pending:
        """Send the images of a batch to the workers, in several jobs."""
        spec = self._spec
        rows = [
            self._image_and_key(index, number, row)
            for row, index in enumerate(indices.tolist(), start=first_row)
        ]
        # Without workers a job runs when it is submitted; small jobs let a stop take effect sooner.
        per_worker = -(-len(rows) // self._pool.num_workers) if self._pool.num_workers else 0
        size = min(max(per_worker, _IMAGES_PER_JOB[0]), _IMAGES_PER_JOB[1])
        parts = [
            self._pool.submit(self._prepare, spec.transforms, rows[begin : begin + size])
            for begin in range(0, len(rows), size)
            if not self._stopped.is_set()
        ]
        return _Pending(number, first_row, indices, parts)

    def _image_and_key(self, index: int, number: int, row: int) -> tuple[str, tuple[int, ...]]:
        """Give path and random key of the image in a row of a batch."""
        spec = self._spec
        position = number * spec.batch_size + row
        return self._dataset.paths[index], (spec.seed, spec.stream, position, _FOR_IMAGE)

    def _wait_for(self, pending: _Pending) -> bool:
        """Wait until a batch is prepared; False if the iteration was stopped first."""
        waiting = set(pending.parts)
        while waiting and not self._stopped.is_set():
            waiting = wait(waiting, timeout=_STOP_POLL_SECONDS).not_done
        return not waiting and not self._stopped.is_set()

    def _assemble(self, pending: _Pending) -> tuple[np.ndarray, ...]:
        arrays = list(itertools.chain.from_iterable(part.result() for part in pending.parts))
        indices = pending.indices
        if self._replacements is not None:
            indices, arrays = self._replace_unreadable(pending, arrays, self._replacements)
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
        # Indices in place of paths: MindSpore rejects strings that are not UTF-8.
        return (images, *(column[indices] for column in labels), indices)

    def _replace_unreadable(
        self,
        pending: _Pending,
        arrays: list[np.ndarray | ImageError],
        replacements: ImageReplacements,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Give indices and images of a batch, with unreadable images replaced."""
        chosen = [
            (index, array)
            if isinstance(array, np.ndarray)
            else self._replace(index, array, pending.number, row, replacements)
            for row, (index, array) in enumerate(
                zip(pending.indices.tolist(), arrays), start=pending.first_row
            )
        ]
        return np.array([index for index, _ in chosen]), [array for _, array in chosen]

    def _replace(
        self,
        index: int,
        error: ImageError,
        number: int,
        row: int,
        replacements: ImageReplacements,
    ) -> tuple[int, np.ndarray]:
        """Give index and image of the first readable candidate."""
        replacements.record(index, error)
        for other in replacements.candidates(index):
            job = self._pool.submit(
                self._prepare, self._spec.transforms, [self._image_and_key(other, number, row)]
            )
            (array,) = job.result()
            if isinstance(array, np.ndarray):
                return other, array
            replacements.record(other, array)
        raise ImageError(f"{error} No other image of its identity can be read.")
