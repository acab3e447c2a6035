"""Sampler that draws every identity equally often, for any number of its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from .data_sampler import check_not_empty
from .state import PassStream


class ImbalancedDatasetSampler:
    """Endless stream of images drawn with replacement, with probability ~ 1 / (identity's images).

    Follows fast-reid's ``ImbalancedDatasetSampler``, which draws with torch.multinomial: the
    probabilities are the same, the sequence is NumPy's.

    Args:
        data_source: items (path, pid, camid).
        size: draws per pass; None: the number of images.
        seed: seed of the draws; the same on every rank.
        rank: rank of this process.
        world_size: number of processes.

    Raises:
        ValueError: there are no items.

    Examples:
        >>> from itertools import islice
        >>> from fastreid.data.samplers import ImbalancedDatasetSampler
        >>> items = [("rare.jpg", 0, 0)] + [(f"common_{i}.jpg", 1, 0) for i in range(99)]
        >>> drawn = list(islice(ImbalancedDatasetSampler(items), 10_000))
        >>> round(drawn.count(0) / len(drawn), 1)  # one image in a hundred, half of the draws
        0.5
    """

    def __init__(
        self,
        data_source: Sequence[tuple],
        *,
        size: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_not_empty(len(data_source))
        images_of = Counter(pid for _, pid, _ in data_source)
        weights = np.array([1.0 / images_of[pid] for _, pid, _ in data_source])
        self._probabilities = weights / weights.sum()
        self._size = len(data_source) if size is None else size
        self.draw = PassStream(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        population = len(self._probabilities)
        yield from rng.choice(population, self._size, p=self._probabilities).tolist()
