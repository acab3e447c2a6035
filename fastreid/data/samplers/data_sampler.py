"""Samplers that depend only on the number of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .state import PassStream, StateHistory, draw_from


def check_not_empty(size: int) -> None:
    """Check that a data set has images.

    Args:
        size: number of images.

    Raises:
        ValueError: there are none.
    """
    if size <= 0:
        raise ValueError(f"There are no images to draw from (the data set has {size}).")


class TrainingSampler:
    """Endless stream of shuffled passes over all images (fast-reid's ``TrainingSampler``).

    Every iteration gives the same stream from its beginning; rank r of w takes every w-th index,
    from index r on.

    Args:
        size: number of images.
        shuffle: whether each pass has its own random order; False: the order of the data set.
        seed: seed of the shuffling; the same on every rank.
        rank: rank of this process.
        world_size: number of processes.

    Raises:
        ValueError: ``size`` is not positive.

    Examples:
        >>> from itertools import islice
        >>> from fastreid.data.samplers import TrainingSampler
        >>> list(islice(TrainingSampler(3, shuffle=False), 7))
        [0, 1, 2, 0, 1, 2, 0]
        >>> shuffled = TrainingSampler(3, seed=1)
        >>> list(islice(shuffled, 7)) == list(islice(shuffled, 7))
        True
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
        self.draw = PassStream(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        order = rng.permutation(self._size) if self._shuffle else np.arange(self._size)
        yield from order.tolist()


class InferenceSampler:
    """Every image once, in order; ranks take contiguous shards (fast-reid's ``InferenceSampler``).

    Args:
        size: number of images.
        rank: rank of this process.
        world_size: number of processes.
        batch_size: number of images in a batch; ranks take whole batches in turn, so that every
            batch is the same as with one process. None: contiguous shards.

    Raises:
        ValueError: ``size`` is not positive.

    Examples:
        >>> from fastreid.data.samplers import InferenceSampler
        >>> [list(InferenceSampler(7, rank=rank, world_size=2)) for rank in range(2)]
        [[0, 1, 2, 3], [4, 5, 6]]
        >>> [list(InferenceSampler(7, rank=rank, world_size=2, batch_size=2)) for rank in range(2)]
        [[0, 1, 4, 5], [2, 3, 6]]
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
    """Sampler of a subset of the images, which gives indices into all images.

    Args:
        sampler: sampler of the subset; gives indices into ``indices``.
        indices: images of the subset, as indices into all images.

    Examples:
        >>> from fastreid.data.samplers import InferenceSampler, SubsetSampler
        >>> list(SubsetSampler(InferenceSampler(3), indices=[10, 20, 30]))
        [10, 20, 30]
    """

    def __init__(self, sampler: Iterable[int], indices: Sequence[int]) -> None:
        self._sampler = sampler
        self._indices = indices

    def __iter__(self) -> Iterator[int]:
        return (self._indices[index] for index in self._sampler)

    def draw(self, start: int, history: StateHistory) -> Iterator[int]:
        """Give the indices from a position on.

        Args:
            start: number of indices to skip.
            history: receives the states of the sampler; see ``PassStream.draw``.
        """
        return (self._indices[index] for index in draw_from(self._sampler, start, history))
