"""Samplers that look at nothing but the number of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .passes import Bookmarks, Passes, draw_from


def check_not_empty(size: int) -> None:
    """Refuse a data set without images.

    Args:
        size: number of images.

    Raises:
        ValueError: there are none.
    """
    if size <= 0:
        raise ValueError(f"There are no images to draw from (the data set holds {size}).")


class TrainingSampler:
    """Endless stream of shuffled passes over all images (fast-reid's ``TrainingSampler``).

    Every iteration starts the same stream anew; rank r of w takes every w-th index from r on.

    Args:
        size: number of images.
        shuffle: False gives them in their own order.
        seed: of the shuffling; the same on every rank.
        rank, world_size: this process and how many there are.

    Raises:
        ValueError: ``size`` is not positive.
    """

    def __init__(
        self,
        size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_not_empty(size)
        self._size = size
        self._shuffle = shuffle
        self.draw = Passes(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        order = rng.permutation(self._size) if self._shuffle else np.arange(self._size)
        yield from order.tolist()


class InferenceSampler:
    """Every image once, in order; ranks take contiguous shares (fast-reid's ``InferenceSampler``).

    Args:
        size: number of images.
        rank, world_size: this process and how many there are.
        batch_size: ranks take whole batches of so many images in turn instead, so that no batch is
            another than that of one process; None: contiguous shares.

    Raises:
        ValueError: ``size`` is not positive.
    """

    def __init__(
        self, size: int, *, rank: int = 0, world_size: int = 1, batch_size: int | None = None
    ) -> None:
        check_not_empty(size)
        if batch_size is None:
            batch_size = -(-size // world_size)
        self.world_size = world_size
        firsts = range(rank * batch_size, size, world_size * batch_size)
        self._indices = [
            index for first in firsts for index in range(first, min(first + batch_size, size))
        ]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class SubsetSampler:
    """What a sampler draws from a part of the images, as indices into all of them.

    Args:
        sampler: gives indices into ``indices``.
        indices: the part's images, as indices into all images.
    """

    def __init__(self, sampler: Iterable[int], indices: Sequence[int]) -> None:
        self._sampler = sampler
        self._indices = indices

    def __iter__(self) -> Iterator[int]:
        return (self._indices[index] for index in self._sampler)

    def draw(self, start: int, bookmarks: Bookmarks) -> Iterator[int]:
        """Give the indices from a place on, as ``Passes.draw`` does."""
        return (self._indices[index] for index in draw_from(self._sampler, start, bookmarks))
