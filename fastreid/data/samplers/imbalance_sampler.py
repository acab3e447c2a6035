"""Draw every identity equally often, however many images it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from .data_sampler import check_not_empty
from .passes import Passes


class ImbalancedDatasetSampler:
    """Endless stream of images drawn with replacement, each with 1 / (images of its identity).

    Follows fast-reid's ``ImbalancedDatasetSampler``, which draws with torch.multinomial: the
    probabilities are the same, the sequence is NumPy's.

    Args:
        data_source: items (path, pid, camid).
        size: draws per round; None means as many as there are images.
        seed: of the draws; the same on every rank.
        rank, world_size: this process and how many there are.

    Raises:
        ValueError: there are no items.
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
        self.draw = Passes(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        population = len(self._probabilities)
        yield from rng.choice(population, self._size, p=self._probabilities).tolist()
