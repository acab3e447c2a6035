"""Batches of images: sampler -> data workers -> MindSpore's GeneratorDataset -> dicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from ..common import BATCH_COLUMNS, CommDataset
from ..samplers.passes import Bookmark
from ..transforms import RandomPatch
from .feed import BatchFeed, BatchSpec
from .preparation import ImageTransform
from .shards import RowsOf
from .substitutes import Substitutes
from .workers import WorkerPool


class ReidDataLoader:
    """Gives batches as dicts of NumPy arrays, one entry per name in ``BATCH_COLUMNS``.

    images (N, 3, H, W) float32 RGB 0 to 255; targets and camids (N,) int32, those of a test set
    int64; domainids (N,) int32; img_paths (N,) str.

    A sampler without a length makes it endless, of full batches only, and iterating it
    again goes on; one with a length gives one pass, the last batch smaller. The augmentation of
    an image depends on ``seed``, ``stream`` and its place in the stream only: neither the number
    of workers nor where a run was resumed changes a batch.

    Args:
        dataset: paths and labels.
        sampler: gives indices into the data set, the same ones at every iteration.
        batch_size: images per batch.
        transforms: called with an RGB image and a generator; gives (3, H, W) uint8 or float32.
        batch_transform: called with (N, 3, H, W) uint8 or float32 and a generator, or None.
        seed: of the augmentation, at least 0.
        stream: number of this loader among those of a run, so that no two augment alike.
        rows_of: the rows of a batch that this process takes, by number of the batch, of an endless
            loader; of a batch without any, the columns are empty. None: all rows.
        skip_unreadable: an image that cannot be read is replaced by the next of its identity.
        pool: the worker processes; loaders may share one, the last to close closes it.
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
        rows_of: RowsOf | None = None,
        skip_unreadable: bool = False,
    ) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = batch_size
        self.pool = pool
        self._spec = BatchSpec(batch_size, transforms, batch_transform, seed, stream, rows_of)
        self._substitutes = Substitutes(dataset) if skip_unreadable else None
        self._is_endless = not hasattr(sampler, "__len__")
        self._position = 0
        self._bookmark: Bookmark | None = None
        self._feed: BatchFeed | None = None
        self._is_closed = False
        pool.attach()

    def __len__(self) -> int:
        if not isinstance(self.sampler, Sized):
            raise TypeError("A training loader is endless: it has no length.")
        return -(-len(self.sampler) // self.batch_size)

    @property
    def is_shared(self) -> bool:
        """Whether processes share the batches: each gives some of them, whole."""
        return getattr(self.sampler, "world_size", 1) > 1 and not self._is_endless

    @property
    def position(self) -> int:
        """Batches handed out so far; a finite loader counts within the present pass."""
        return self._position

    @property
    def bookmark(self) -> dict[str, Any] | None:
        """Where the sampler's present pass began, for ``seek``, in numbers, texts and lists.

        None: in the first pass, in a finite loader, or with a sampler that has no ``draw``.
        """
        return self._bookmark and self._bookmark.as_plain()

    def seek(self, position: int, *, bookmark: Mapping[str, Any] | None = None) -> None:
        """Let the next iteration begin at a batch, without reading those before it.

        Args:
            position: batches to pass over, counted from the start of the stream.
            bookmark: of a loader of the same data, sampler and seed at that position; with None
                the sampler draws all that it drew before, which takes longer in a later epoch.

        Raises:
            ValueError: it is negative, the loader is not endless, or the bookmark is damaged.
            RuntimeError: the loader is being iterated.
        """
        if position < 0 or not self._is_endless:
            kind = "An endless" if self._is_endless else "A finite"
            raise ValueError(f"{kind} loader cannot begin at batch {position}.")
        if self._feed is not None:
            raise RuntimeError("seek() must come before the loader is iterated.")
        found = None if bookmark is None else Bookmark.of_plain(bookmark)
        if found is not None and found.index > position * self.batch_size:
            raise ValueError(
                f"A bookmark at image {found.index} of the stream is beyond batch {position} of "
                f"{self.batch_size} images; give the one that was saved with that position."
            )
        self._position, self._bookmark = position, found

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Give the batches, from ``position`` on if endless, else from the first one.

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
        feed = BatchFeed(
            self.dataset,
            self.sampler,
            self._spec,
            self.pool,
            substitutes=self._substitutes,
            start=self._position,
            bookmark=self._bookmark,
        )
        self._feed = feed
        return self._batches(feed)

    def _batches(self, feed: BatchFeed) -> Iterator[dict[str, np.ndarray]]:
        rows = iter(feed)
        try:
            while True:
                while not self._spec.has_rows(self._position):
                    self._advance(feed)
                    yield {column: np.empty(0) for column in BATCH_COLUMNS}
                row = next(rows, None)
                if row is None:
                    return
                self._advance(feed)
                batch = dict(zip(BATCH_COLUMNS, row))
                # Last of all: a quarter of the bytes went through queues and copies until here.
                yield {**batch, "images": batch["images"].astype(np.float32, copy=False)}
        finally:
            self._release(feed)

    def _advance(self, feed: BatchFeed) -> None:
        self._position += 1
        self._bookmark = feed.bookmarks.last_before(self._position * self.batch_size)

    def _release(self, feed: BatchFeed) -> None:
        feed.stop()
        if self._feed is feed:
            self._feed = None

    def _stop(self) -> None:
        if self._feed is not None:
            self._release(self._feed)

    def close(self) -> None:
        """Stop reading and let go of the workers. May be called again."""
        if not self._is_closed:
            self._is_closed = True
            self._stop()
            self.pool.detach()
            if self._substitutes is not None:
                self._substitutes.close()

    def __enter__(self) -> ReidDataLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
