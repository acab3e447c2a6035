"""The data loader: sampler -> data workers -> MindSpore's GeneratorDataset -> dicts of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from ..common import BATCH_COLUMNS, CommDataset
from ..samplers.state import SamplerState
from ..transforms import RandomPatch
from .batch_iterator import BatchIterator, BatchSpec
from .preparation import ImageTransform
from .replacements import ImageReplacements
from .shards import ShardRows
from .workers import WorkerPool


class ReidDataLoader:
    """Gives batches as dicts of NumPy arrays, one entry per name in ``BATCH_COLUMNS``.

    images (N, 3, H, W) float32 RGB 0 to 255; targets and camids (N,) int32, those of a test set
    int64; domainids (N,) int32; img_paths (N,) str.

    If the sampler has no length, the loader is endless: all batches are full, and iterating again
    continues where the last iteration stopped. If it has one, each iteration is one pass over it,
    and the last batch may be smaller. The augmentation of an image depends only on ``seed``,
    ``stream`` and the position of the image in the stream. So batches do not depend on the number
    of workers, nor on where a run was resumed.

    Args:
        dataset: paths and labels.
        sampler: gives indices into the data set, the same ones at every iteration.
        batch_size: images per batch.
        transforms: called with an RGB image and a generator; gives (3, H, W) uint8 or float32.
        pool: worker processes; several loaders may share a pool, which closes with the last one.
        batch_transform: called with (N, 3, H, W) uint8 or float32 and a generator; None: no
            transform of whole batches.
        seed: seed of the augmentation, at least 0.
        stream: number of this loader in a run, so that two loaders augment differently.
        shard_rows: function from the number of a batch to the rows that this process makes, for
            endless loaders; the columns of a batch without such rows are empty. None: all rows.
        skip_unreadable: replace an unreadable image by the next one of its identity.
    """

    def __init__(
        self,
        dataset: CommDataset,
        sampler: Iterable[int],
        *,
        batch_size: int,
        transforms: ImageTransform,
        pool: WorkerPool,
        batch_transform: RandomPatch | None = None,
        seed: int = 0,
        stream: int = 0,
        shard_rows: ShardRows | None = None,
        skip_unreadable: bool = False,
    ) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = batch_size
        self.pool = pool
        self._spec = BatchSpec(batch_size, transforms, batch_transform, seed, stream, shard_rows)
        self._replacements = ImageReplacements(dataset) if skip_unreadable else None
        self._is_endless = not hasattr(sampler, "__len__")
        self._position = 0
        self._sampler_state: SamplerState | None = None
        self._iterator: BatchIterator | None = None
        self._is_closed = False
        pool.attach()

    def __len__(self) -> int:
        if not isinstance(self.sampler, Sized):
            raise TypeError("A training loader is endless: it has no length.")
        return -(-len(self.sampler) // self.batch_size)

    @property
    def is_shared(self) -> bool:
        """Whether the whole batches are divided among several processes, as in evaluation."""
        return getattr(self.sampler, "world_size", 1) > 1 and not self._is_endless

    @property
    def position(self) -> int:
        """Number of batches given so far; for a finite loader, in the current pass."""
        return self._position

    @property
    def sampler_state(self) -> dict[str, Any] | None:
        """State of the sampler at the start of its current pass, for ``seek``; JSON can hold it.

        None in the first pass, for a finite loader, and for a sampler without a method ``draw``.
        """
        return None if self._sampler_state is None else self._sampler_state.to_dict()

    def seek(self, position: int, *, sampler_state: Mapping[str, Any] | None = None) -> None:
        """Start the next iteration at a batch, without reading the images before it.

        Args:
            position: number of batches to skip, counted from the start of the stream.
            sampler_state: ``sampler_state`` of a loader with the same data, sampler and seed at
                that position. None: the sampler draws all earlier indices again, which takes the
                longer, the later the position.

        Raises:
            ValueError: the position is negative, the loader is not endless, or the state is
                damaged or belongs to a later position.
            RuntimeError: the loader is being iterated.
        """
        if position < 0 or not self._is_endless:
            kind = "An endless" if self._is_endless else "A finite"
            raise ValueError(f"{kind} loader cannot start at batch {position}.")
        if self._iterator is not None:
            raise RuntimeError("seek() must be called before the loader is iterated.")
        state = None if sampler_state is None else SamplerState.from_dict(sampler_state)
        if state is not None and state.start > position * self.batch_size:
            raise ValueError(
                f"A sampler state at image {state.start} of the stream is after batch {position} "
                f"of {self.batch_size} images; pass the state that was saved with that position."
            )
        self._position, self._sampler_state = position, state

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Give the batches: from ``position`` on for an endless loader, else from the first one.

        Raises:
            ImageError: an image cannot be read; the message names the file.
            WorkerError: a worker process died.
            RuntimeError: the loader is closed.
        """
        if self._is_closed:
            raise RuntimeError("This data loader is closed.")
        self._stop()
        if not self._is_endless:
            self._position = 0
        iterator = BatchIterator(
            self.dataset,
            self.sampler,
            self._spec,
            self.pool,
            replacements=self._replacements,
            start=self._position,
            sampler_state=self._sampler_state,
        )
        self._iterator = iterator
        return self._batches(iterator)

    def _batches(self, iterator: BatchIterator) -> Iterator[dict[str, np.ndarray]]:
        rows = iter(iterator)
        try:
            while True:
                while not self._spec.has_rows(self._position):
                    self._advance(iterator)
                    yield {column: np.empty(0) for column in BATCH_COLUMNS}
                row = next(rows, None)
                if row is None:
                    return
                self._advance(iterator)
                batch = dict(zip(BATCH_COLUMNS, row))
                # Converted last: until here, uint8 takes a quarter of the bytes.
                yield {**batch, "images": batch["images"].astype(np.float32, copy=False)}
        finally:
            self._release(iterator)

    def _advance(self, iterator: BatchIterator) -> None:
        self._position += 1
        self._sampler_state = iterator.history.last_before(self._position * self.batch_size)

    def _release(self, iterator: BatchIterator) -> None:
        iterator.stop()
        if self._iterator is iterator:
            self._iterator = None

    def _stop(self) -> None:
        if self._iterator is not None:
            self._release(self._iterator)

    def close(self) -> None:
        """Stop reading and release the worker pool. Further calls have no effect."""
        if not self._is_closed:
            self._is_closed = True
            self._stop()
            self.pool.detach()
            if self._replacements is not None:
                self._replacements.log_summary()

    def __enter__(self) -> ReidDataLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
